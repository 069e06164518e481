from rest_framework.parsers import FormParser, JSONParser


class StrictJSONParser(JSONParser):
    pass


class StrictFormParser(FormParser):
    pass
