"""A Django application in one file: a page and a form."""

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="for the tests only",
)


def index(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"Django over {request.META['SERVER_PROTOCOL']}")


@csrf_exempt
def form(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"name": request.POST["name"], "secure": request.is_secure()})


urlpatterns = [path("", index), path("form", form)]
application = get_wsgi_application()
