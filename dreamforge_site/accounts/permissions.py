from rest_framework.permissions import BasePermission


class KeyScope(BasePermission):
    pass
