from rest_framework.authentication import BaseAuthentication
from rest_framework.authentication import SessionAuthentication as SessionAuthentication


class BearerAuthentication(BaseAuthentication):
    pass


class OpenAuthentication(BaseAuthentication):
    pass
