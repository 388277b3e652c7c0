"""Whatever the sandbox is sent, its responses are those of the spec: `schemathesis` sends and compares."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from cybersource_tms_sandbox import PAGE_CUSTOMER_ID, PROFILE_ID, Sandbox
from support.caller import SHARED_SECRET
from support.waiting import LIMIT

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
OPERATIONS = ["retrieveCustomer", "updateCustomer"]  # that the sandbox has
AS_GENERATED = "as generated"
DELETED_ID = "DELETED"
FORBIDDEN_PROFILE, UNKNOWN_PROFILE = "00000000-0000-4000-8000-000000000000", "00000000-0000-4000-8000-000000000001"
# So that each status is reached, some of what is generated is replaced.
IDS = [PAGE_CUSTOMER_ID, PAGE_CUSTOMER_ID, DELETED_ID, AS_GENERATED]
PROFILES = [None, PROFILE_ID, FORBIDDEN_PROFILE, UNKNOWN_PROFILE, "too short", AS_GENERATED]
ETAGS = [None, "another", AS_GENERATED]


def load_spec() -> dict[str, Any]:
    """Return the spec, in which each header of a response is required: the service always sends it."""
    spec: dict[str, Any] = yaml.safe_load(Path("spec/customers.yaml").read_text(encoding="utf-8"))
    for header in spec["components"]["headers"].values():
        header["required"] = True
    return spec


SCHEMA = schemathesis.openapi.from_dict(load_spec())


def sign(request: Any) -> Any:
    """Sign a request of `requests`, which calls this with it."""
    host = str(urlsplit(request.url).hostname)
    claims = SHARED_SECRET.claims(request.method, request.path_url, request.body or b"", host)
    request.headers["Authorization"] = f"Bearer {SHARED_SECRET.token(claims)}"
    return request


def replace(values: Any, name: str, value: str | None) -> None:
    """Put another value in the place of a generated one, or none."""
    if value != AS_GENERATED:
        values.pop(name, None)
        values.update({name: value} if value else {})


@pytest.mark.parametrize("auth", [sign, None], ids=["signed", "unsigned"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_responses_are_those_of_the_spec(
    sandbox: Sandbox, url: str, name: str, auth: Callable[[Any], Any] | None
) -> None:
    """For right and wrong requests, status, media type, headers and shape are documented; each status is reached."""
    sandbox.add({"id": DELETED_ID})
    sandbox.delete(DELETED_ID)
    sandbox.forbidden_profiles = {FORBIDDEN_PROFILE}
    operation = SCHEMA.find_operation_by_id(name)
    documented = {int(status) for status in operation.responses.status_codes}
    seen: set[int] = set()

    @settings(
        derandomize=True,
        max_examples=100 if auth else 20,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    @given(
        st.one_of([operation.as_strategy(generation_mode=mode) for mode in GenerationMode]),
        st.sampled_from(IDS),
        st.sampled_from(PROFILES),
        st.sampled_from(ETAGS),
    )
    def check(case: Case[Any], customer_id: str, profile: str | None, etag: str | None) -> None:
        replace(case.path_parameters, "customerTokenId", customer_id)
        replace(case.headers, "profile-id", profile)
        replace(case.headers, "if-match", etag)
        seen.add(case.call_and_validate(base_url=url, auth=auth, checks=CHECKS, timeout=LIMIT).status_code)

    check()
    assert seen == (documented - {401, 500} if auth else {401})
