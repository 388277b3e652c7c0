"""A client library for accessing CyberSource Token Management Service, customers"""

from .client import AuthenticatedClient, Client

__all__ = (
    "AuthenticatedClient",
    "Client",
)
