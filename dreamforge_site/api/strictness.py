from rest_framework.permissions import BasePermission


class DeclaredQuery(BasePermission):
    pass
