"""scripts/compare_sdk.py without the SDK: what it takes for a difference, and what it shows."""

import copy
from collections.abc import Callable

import pytest

from compare_sdk import compare, configurations, make_keys, send_ours
from cybersource_tms_sandbox import SECRET, Received, Sandbox

Change = Callable[[Received], object]


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Received]]:
    """Return what arrives for each kind of credential: the requests of two runs."""
    sandbox = Sandbox()
    folder = tmp_path_factory.mktemp("keys")
    make_keys(sandbox, folder)
    with sandbox.running() as url:
        return {
            name: send_ours(sandbox, url, config) + send_ours(sandbox, url, config)
            for name, config in configurations(folder).items()
        }


def test_the_same_calls_twice(sent: dict[str, list[Received]]) -> None:
    """Times, random values and encryption are no difference, and the sandbox accepts each kind of credential."""
    for read, updated, read_again, updated_again in sent.values():
        assert {request.status for request in (read, updated, read_again, updated_again)} == {200}
        assert len([*compare(read, read_again)]) == len([*compare(updated, updated_again)]) == 1


CHANGES: dict[str, tuple[Change, str]] = {
    "a header": (lambda it: it.headers.update({"x-new": "1"}), "header x-new: 1 | none -- FLAGGED"),
    "no header": (lambda it: it.headers.pop("accept"), "header accept: none | "),
    "a claim": (lambda it: it.claims.update({"iss": "x"}), "claim iss: x | testrest -- FLAGGED"),
    "the life": (lambda it: it.claims.update(exp=it.claims["exp"] + 1), "claim exp: 121 s after iat | "),
    "a digest": (lambda it: it.claims.update(digest="x"), "claim digest: x | the body's -- FLAGGED"),
    "known": (
        lambda it: it.claims.update({"request-method": "PATCH"}),
        "claim request-method: PATCH | patch -- the guide says lower case",
    ),
    "the body": (lambda it: setattr(it, "plain", b'{"a": null}'), 'JSON: {"a": null} | {'),
}


@pytest.mark.parametrize(("change", "line"), CHANGES.values(), ids=CHANGES)
def test_differences(sent: dict[str, list[Received]], change: Change, line: str) -> None:
    """A part that is another, is missing or is new is a difference; without a known reason it is flagged."""
    _, updated, _, again = sent["JWT with a P12, both encrypted"]
    changed = copy.copy(updated)
    changed.headers, changed.claims = updated.headers.copy(), dict(updated.claims)
    change(changed)
    [_, found] = compare(changed, again)
    assert found.startswith(line)


def test_no_secret_is_shown(sent: dict[str, list[Received]]) -> None:
    """However much differs, neither a token nor a key is in the lines."""
    requests = [request for each in sent.values() for request in each[:2]]
    lines = "\n".join(line for one in requests for other in requests for line in compare(one, other))
    secrets = [SECRET, *(request.headers.get("authorization", "").rpartition(".")[2] for request in requests)]
    secrets += [request.claims.get("jti", "") for request in requests]
    assert not [secret for secret in secrets if secret and secret in lines]
