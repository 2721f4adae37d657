"""A Django site of one table, which Django REST framework serves with each of its three paginators.

    /pages/?station=&page=              PageNumberPagination: count, next, previous, results
    /windows/?station=&limit=&offset=   LimitOffsetPagination: the same
    /stations/<station>/               CursorPagination: next, previous, results; the newest first

The database is the file that `READINGS` names.
"""

import os

import django
from django.conf import settings
from django.core.asgi import get_asgi_application

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["READINGS"]}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=["rest_framework"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "UNAUTHENTICATED_USER": None,
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY="of no use",
    USE_TZ=True,
)
django.setup()

from django.db import models  # noqa: E402 - models want a site that is set up
from django.urls import path  # noqa: E402
from rest_framework import generics, pagination, serializers  # noqa: E402


class Reading(models.Model):
    station = models.TextField()
    taken_at = models.TextField()
    level = models.IntegerField(null=True)
    value = models.FloatField()
    valid = models.BooleanField()
    note = models.TextField(null=True)
    tags = models.JSONField()
    place = models.JSONField()

    class Meta:
        app_label = "readings"
        db_table = "readings"
        managed = False


class ReadingSerializer(serializers.ModelSerializer[Reading]):
    class Meta:
        model = Reading
        fields = "__all__"


class Readings(generics.ListAPIView[Reading]):
    serializer_class = ReadingSerializer

    def get_queryset(self) -> models.QuerySet[Reading]:
        station = self.kwargs.get("station") or self.request.query_params["station"]
        return Reading.objects.filter(station=station).order_by("id")


class ByNumber(pagination.PageNumberPagination):
    page_size = 20
    page_size_query_param = "page_size"


class ByOffset(pagination.LimitOffsetPagination):
    default_limit = 20


class ByCursor(pagination.CursorPagination):
    page_size = 20
    ordering = ("-taken_at", "id")


urlpatterns = [
    path("pages/", Readings.as_view(pagination_class=ByNumber)),
    path("windows/", Readings.as_view(pagination_class=ByOffset)),
    path("stations/<str:station>/", Readings.as_view(pagination_class=ByCursor)),
]

application = get_asgi_application()
