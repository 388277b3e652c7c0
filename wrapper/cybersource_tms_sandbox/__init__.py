"""A stand-in for CyberSource's Token Management Service, for the tests of whoever uses `cybersource_tms`.

    sandbox = Sandbox()
    customers = CustomersClient("test", SharedSecretAuth(MERCHANT_ID, KEY_ID, SECRET), transport=sandbox.transport)

It authenticates requests as strictly as the service documents, decrypts and encrypts, applies JSON Merge Patch
(RFC 7396), moves the ETag, responds in the service's words, and fails as told. It needs no network and no port, or
serves HTTP on loopback: `Sandbox.running`, or `python -m cybersource_tms_sandbox`. With pytest there is the fixture
`cybersource_sandbox`. Its further dependencies come with `pip install "cybersource-tms[sandbox]"`.

A test says what the service knows, and what goes wrong, and looks at what was received:

    sandbox.add({"id": "0" * 32, "buyerInformation": {"email": "jane.roe@example.com"}})
    sandbox.fail(503, Fault(cut="after"))  # the next two requests
    customers.update("0" * 32, CustomerUpdate(object_information=ObjectInformation(title="Gold")))
    assert sandbox["0" * 32]["objectInformation"] == {"title": "Gold"}
    assert len(sandbox.received) == 3

Over HTTP, `PUT /sandbox/faults` takes the same as a JSON array, such as `[{"status": 503}, {"cut": "after"}]`, and
`POST /sandbox/reset` forgets everything but the keys.

A client waits before it retries, in a test too, unless it is made with `retries=Retries(first_wait=0)`.

It imports nothing of `cybersource_tms`, or it would agree with that package's mistakes.
"""

from ._customers import PAGE_CUSTOMER_ID, page_customer
from ._faults import Fault
from ._messages import Received, Reply
from ._sandbox import KEY_ID, MERCHANT_ID, SECRET, Sandbox
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
