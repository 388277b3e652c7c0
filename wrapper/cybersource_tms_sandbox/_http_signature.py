"""Whether a request's HTTP Signature is right: guide, "REST API Authentication", HTTP Signature.

Where nothing is published, this is assumed: the Date may be five minutes off, either way.
"""

import base64
import hmac
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from ._checks import Unauthenticated, digest_of, only_header, require, require_values, signed_hosts, signed_path
from ._keyring import TrustedKey
from ._message_encryption import find_wrapper
from ._messages import Received

DATE_WINDOW = 300  # seconds
HTTP_DATE = "%a, %d %b %Y %H:%M:%S GMT"
PARAMETERS = ("keyid", "algorithm", "headers", "signature")
SIGNATURE = re.compile(", ".join(f'{name}="(?P<{name}>[^"]*)"' for name in PARAMETERS))


def check_signature(request: Received, keys: Mapping[str, TrustedKey]) -> None:
    """Refuse a request whose Signature is not a trusted secret's, over just what is to be signed."""
    given = SIGNATURE.fullmatch(only_header(request, "signature"))
    if given is None:
        raise Unauthenticated("signature is not made as documented")
    key = keys.get(given["keyid"])
    if key is None or not isinstance(key.key, bytes):
        raise Unauthenticated("keyid is wrong")
    lines = signed_lines(request, key)
    require_values(given.groupdict(), {"algorithm": ("HmacSHA256",), "headers": (" ".join(("host", *lines)),)})
    rights = [sign({"host": host} | lines, key.key) for host in signed_hosts(request)]
    require(given["signature"] in rights, "the signature is wrong")
    require(find_wrapper(request.body) is None, "an encrypted request needs a token")


def sign(lines: Mapping[str, str], secret: bytes) -> str:
    """Return the signature over some lines."""
    message = "\n".join(f"{name}: {value}" for name, value in lines.items())
    return base64.b64encode(hmac.digest(secret, message.encode(), "sha256")).decode()


def signed_lines(request: Received, key: TrustedKey) -> dict[str, str]:
    """Return what is signed beside the host. The header names the merchant, and what is signed the key's owner."""
    require(only_header(request, "v-c-merchant-id") in key.merchants, "v-c-merchant-id is wrong")
    date = only_header(request, "date")
    require_date(date)
    target = f"{request.method.lower()} {signed_path(request)}"
    return {"date": date, "request-target": target, **digest_line(request), "v-c-merchant-id": key.owner}


def digest_line(request: Received) -> dict[str, str]:
    """Return what is signed of the body, which must be what the Digest header says: nothing, where there is none."""
    if not request.body:
        require("digest" not in request.headers, "digest is there without a body")
        return {}
    digest = f"SHA-256={digest_of(request.body)}"
    require(only_header(request, "digest") == digest, "digest is wrong")
    return {"digest": digest}


def require_date(date: str) -> None:
    """Refuse a Date that is not of now, or not written as in RFC 9110 section 5.6.7."""
    try:
        moment = datetime.strptime(date, HTTP_DATE).replace(tzinfo=UTC)
    except ValueError as error:
        raise Unauthenticated("date is not an HTTP date") from error
    require(moment.strftime(HTTP_DATE) == date, "date is not an HTTP date")  # strptime is lenient
    require(abs(moment.timestamp() - time.time()) <= DATE_WINDOW, "date is not of now")
