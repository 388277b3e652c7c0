"""Update a customer in CyberSource's Token Management Service, sending only what changed.

    with CustomersClient.from_env() as customers:
        record = customers.apply(customer_id, {"buyerInformation": {"email": "new@example.com"}})
        print(record.sent, record.etag)

See `CustomersClient` for the calls, `CustomersClient.from_env` for the environment variables, `changed_fields` for what
is sent, and `errors` for what can go wrong and what is guaranteed. `CertificateAuth` and `SharedSecretAuth` are the
credentials, `MessageEncryption` is message-level encryption. `cybersource_tms_sandbox` is a sandbox of the service, for
tests.
"""

import cybersource_tms_api.models as _models  # "from … import" hides the names of the models from pyright
from cybersource_tms_api.models import *  # noqa: F403 - a new schema of the spec is public without a line here
from cybersource_tms_api.types import UNSET, Unset

from . import errors
from ._async_clients import AsyncCustomersClient
from ._calls.environment import Environment
from ._calls.records import CustomerRecord, UpdateOutcome
from ._calls.retries import Retries
from ._clients import CustomersClient
from ._credentials.json_web_token import CertificateAuth, SharedSecretAuth
from ._credentials.message_encryption import MessageEncryption
from ._diff.changed_fields import changed_fields
from ._diff.reading import MerchantData
from ._version import __version__

__all__ = [
    "UNSET",
    "AsyncCustomersClient",
    "CertificateAuth",
    "CustomerRecord",
    "CustomersClient",
    "Environment",
    "MerchantData",
    "MessageEncryption",
    "Retries",
    "SharedSecretAuth",
    "Unset",
    "UpdateOutcome",
    "__version__",
    "changed_fields",
    "errors",
]
__all__ += _models.__all__
globals()["__all__"].sort()  # type checkers understand no `__all__.sort()`
