"""A sandbox of CyberSource's Token Management Service, for the tests of whoever uses `cybersource_tms`.

    sandbox = Sandbox()
    customers = CustomersClient("test", SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET), transport=sandbox.transport)

It authenticates requests as strictly as the service documents, decrypts and encrypts, applies JSON Merge Patch
(RFC 7396), moves the ETag, responds in the service's words, and fails as told. It needs no network and no port, or
serves HTTP on loopback: `Sandbox.running`, or `python -m cybersource_tms_sandbox`, which prints each request. With
pytest there is the fixture `cybersource_sandbox`. Its further dependencies come with
`pip install "cybersource-tms[sandbox]"`.

A test says what the service knows, and what goes wrong, and looks at what was received:

    sandbox.add({"id": "0" * 32, "buyerInformation": {"email": "jane.roe@example.com"}})
    sandbox.fail(503, Fault(cut="after"))  # the next two requests
    customers.update("0" * 32, CustomerUpdate(object_information=ObjectInformation(title="Gold")))
    assert sandbox["0" * 32]["objectInformation"] == {"title": "Gold"}
    assert len(sandbox.received) == 3

With `sandbox.tell = print`, pytest shows a line for each request of a failing test: its status, and why it was refused.
A client waits before it retries, in a test too, unless it is made with `retries=Retries(initial_delay=0)`.

**Production's credentials**, a P12 and encryption both ways, need no file and no key of your own:

    sandbox = Sandbox(credential="p12", encryption="both")
    for name, value in sandbox.variables.items():
        monkeypatch.setenv(name, value)
    customers = CustomersClient.from_env(transport=sandbox.transport)

In code, `CertificateAuth.from_p12` and `MessageEncryption.from_p12` take `sandbox.signing_p12` and
`sandbox.response_p12`, with `sandbox.p12_password` and `merchant_id=MERCHANT_ID`. Any sandbox of the process trusts
them. Files are in a temporary folder, which is removed when the process ends.

**Over HTTP**, `PUT /sandbox/faults` takes faults as a JSON array, such as `[{"status": 503}, {"cut": "after"}]`, and
`POST /sandbox/reset` goes back to the initial state.

**What it does not know.** It was never compared with the live service. Its sources are the service's guide and Swagger
document, and where they say nothing it assumes something:

- It refuses unknown fields, and fields that only the service writes. The service seems to ignore some.
- It checks a value by the spec only, not whether a payment instrument or a shipping address exists.
- The place of an array's entry in error details (`/merchantDefinedInformation/0/value`), the words of `invalidFields`
  and `invalidHeaders`, and which of several mistakes is told, are its own.
- It responds with 400 to a response key that it does not know. The service is reported to reset the connection.
- It takes an encrypted request for five minutes, and lets a client's clock be five seconds ahead.
- It has no rate limit, deletes nothing by itself, and remembers each token's `jti` for ever.

It imports nothing of `cybersource_tms`, or it would agree with that package's mistakes.
"""

from ._customers import PAGE_CUSTOMER_ID, page_customer
from ._faults import Fault
from ._keys import KEY_ID, MERCHANT_ID, SECRET
from ._messages import Received, Reply
from ._sandbox import Sandbox
from ._service import PROFILE_ID

__all__ = [
    "KEY_ID",
    "MERCHANT_ID",
    "PAGE_CUSTOMER_ID",
    "PROFILE_ID",
    "SECRET",
    "Fault",
    "Received",
    "Reply",
    "Sandbox",
    "page_customer",
]
