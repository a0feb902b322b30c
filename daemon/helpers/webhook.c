/* earshot-webhook: makes the HTTP requests of earshot's webhooks, so that the daemon need not carry an HTTP and TLS library. The daemon
 * starts it on need, hands it requests on standard input, an object a line, reads an answer a line, and ends it by closing the pipe:
 *
 *   {"url": "https://...", "headers": ["Name: value", ...], "body": "...", "timeout_s": 10, "ca_file": ""}
 *   {"status": 200, "retry_after_s": 0, "error": "", "text": "the beginning of what came back"}
 *
 * status 0: there was no answer, and error says why. Only http and https; certificates and names are checked. A redirection is followed
 * to the same scheme, host and port alone: headers may hold secrets. */
#include <curl/curl.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define LINE_MAX_  65536 /* of a request */
#define ANSWER_MAX 65536 /* bytes that are read of an answer: nobody wants more */
#define TEXT       200   /* of which so many are handed back */
#define REDIRECTS  3
#define CONNECT_MS 10000L
#define RETRY_MOST 86400 /* s */

struct answer {
    size_t n; /* bytes read */
    char text[TEXT + 1];
};

static size_t take(char *data, size_t size, size_t n, void *ctx)
{
    struct answer *a = ctx;

    n *= size;
    if (a->n < TEXT) {
        size_t part = n < TEXT - a->n ? n : TEXT - a->n;
        memcpy(a->text + a->n, data, part);
        a->text[a->n + part] = '\0';
    }
    a->n += n;
    return a->n > ANSWER_MAX ? 0 : n; /* 0 ends the transfer */
}

/* Same scheme, host and port? Compares what libcurl itself makes of the addresses. */
static bool same_origin(const char *a, const char *b)
{
    static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
    CURLU *u = curl_url(), *v = curl_url();
    bool same = u && v && !curl_url_set(u, CURLUPART_URL, a, 0) && !curl_url_set(v, CURLUPART_URL, b, 0);

    for (size_t i = 0; same && i < 3; i++) {
        char *x = NULL, *y = NULL;
        same = !curl_url_get(u, parts[i], &x, CURLU_DEFAULT_PORT) &&
               !curl_url_get(v, parts[i], &y, CURLU_DEFAULT_PORT) && strcasecmp(x, y) == 0;
        curl_free(x);
        curl_free(y);
    }
    curl_url_cleanup(u);
    curl_url_cleanup(v);
    return same;
}

static void set_options(CURL *c, json_t *request, struct curl_slist *headers, struct answer *answer, char *error)
{
    const char *body = json_string_value(json_object_get(request, "body"));
    const char *ca = json_string_value(json_object_get(request, "ca_file"));
    double timeout = json_number_value(json_object_get(request, "timeout_s"));
    long ms = timeout >= 0.1 && timeout <= 3600 ? (long)(timeout * 1e3) : 10000;

    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "earshot/" EARSHOT_VERSION);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, ms);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, ms < CONNECT_MS ? ms : CONNECT_MS);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error);
    if (ca && *ca)
        curl_easy_setopt(c, CURLOPT_CAINFO, ca);
}

static bool moved(long status)
{
    return status == 301 || status == 302 || status == 307 || status == 308;
}

/* Returns the status, 0 with a text in error. */
static long perform(CURL *c, const char *url, struct answer *answer, char error[CURL_ERROR_SIZE])
{
    char *at = strdup(url), *target;
    long status = 0;

    for (int hops = 0; at; hops++) {
        *answer = (struct answer){0};
        error[0] = '\0';
        curl_easy_setopt(c, CURLOPT_URL, at);
        CURLcode rc = curl_easy_perform(c);
        curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
        bool too_much = rc == CURLE_WRITE_ERROR && answer->n > ANSWER_MAX; /* the answer as such is there */
        if (rc != CURLE_OK && !too_much) {
            status = 0;
            if (!*error)
                snprintf(error, CURL_ERROR_SIZE, "%s", curl_easy_strerror(rc));
            break;
        }
        target = NULL;
        curl_easy_getinfo(c, CURLINFO_REDIRECT_URL, &target);
        if (!moved(status) || !target)
            break;
        if (hops == REDIRECTS || !same_origin(at, target)) {
            snprintf(error, CURL_ERROR_SIZE, "redirected %s, which is not followed",
                     hops == REDIRECTS ? "too often" : "to another scheme, host or port");
            break;
        }
        char *next = strdup(target);
        free(at);
        at = next;
    }
    if (!at)
        snprintf(error, CURL_ERROR_SIZE, "no memory");
    free(at);
    return status;
}

static json_t *request_answer(CURL *c, json_t *request)
{
    char error[CURL_ERROR_SIZE] = "";
    struct answer answer = {0};
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:"); /* no waiting for a 100 Continue */
    const char *url = json_string_value(json_object_get(request, "url"));
    curl_off_t retry = 0;
    json_t *header;
    size_t i;

    if (!url || !json_is_string(json_object_get(request, "body"))) {
        curl_slist_free_all(headers);
        return json_pack("{s:i, s:i, s:s, s:s}", "status", 0, "retry_after_s", 0, "error", "no request", "text", "");
    }
    json_array_foreach(json_object_get(request, "headers"), i, header) if (json_is_string(header)) headers =
        curl_slist_append(headers, json_string_value(header));
    curl_easy_reset(c); /* keeps connections */
    set_options(c, request, headers, &answer, error);
    long status = perform(c, url, &answer, error);
    curl_easy_getinfo(c, CURLINFO_RETRY_AFTER, &retry);
    curl_slist_free_all(headers);
    for (char *p = answer.text; *p; p++)
        if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
            *p = ' ';
    for (char *p = error; *p; p++)
        if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
            *p = ' ';
    return json_pack("{s:I, s:I, s:s, s:s}", "status", (json_int_t)status, "retry_after_s",
                     (json_int_t)(retry < 0            ? 0
                                  : retry > RETRY_MOST ? RETRY_MOST
                                                       : retry),
                     "error", error, "text", answer.text);
}

int main(void)
{
    const struct rlimit none = {0, 0};
    static char line[LINE_MAX_];
    int rc = 0;

    setrlimit(RLIMIT_CORE, &none); /* it holds secrets */
    signal(SIGPIPE, SIG_IGN);      /* a server that hangs up is an error of the request */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return 1;
    CURL *c = curl_easy_init();
    while (c && rc == 0 && fgets(line, sizeof line, stdin)) {
        json_t *request = json_loads(line, 0, NULL), *answer = request_answer(c, request);
        rc = !answer || json_dumpf(answer, stdout, JSON_COMPACT) < 0 || puts("") < 0 || fflush(stdout) != 0;
        json_decref(request);
        json_decref(answer);
    }
    curl_easy_cleanup(c);
    curl_global_cleanup();
    return rc;
}
