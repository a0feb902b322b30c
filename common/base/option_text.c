/* Values that are text as it is written. */
#include "base/argv.h"
#include "base/config_private.h"
#include "base/option_private.h"
#include "event/event_text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *host_problem(const char *text)
{
    const char *colon = strchr(text, ':');
    if (!*text)
        return "no value";
    if (strstr(text, "://"))
        return "a URL is not taken: name the host alone, the port and TLS have options of their own";
    if (colon && !strchr(colon + 1, ':'))
        return "the port has an option of its own";
    if (strpbrk(text, " \t/@"))
        return "not a host name";
    return NULL;
}

static const char *hosts_problem(const char *text)
{
    char name[256];

    for (const char *p = text + strspn(text, ", \t"); *p; p += strspn(p, ", \t")) {
        size_t n = strcspn(p, ", \t");
        if (n >= sizeof name)
            return "a name too long for a host";
        snprintf(name, sizeof name, "%.*s", (int)n, p);
        const char *problem = host_problem(name);
        if (problem)
            return problem;
        p += n;
    }
    return NULL;
}

static const char *topic_problem(const char *text)
{
    if (!*text)
        return "no value";
    if (strpbrk(text, "+#"))
        return "wildcards are not allowed";
    if (*text == '/' || text[strlen(text) - 1] == '/' || strstr(text, "//"))
        return "an empty level in the topic";
    return *text == '$' ? "topics that begin with $ are the broker's own" : NULL;
}

const char *option_url_problem(const char *text)
{
    size_t scheme = strncasecmp(text, "https://", 8) == 0 ? 8 : strncasecmp(text, "http://", 7) == 0 ? 7 : 0;

    if (!scheme)
        return strstr(text, "://") ? "neither http nor https" : "not a URL";
    size_t host = strcspn(text + scheme, "/?#");
    const char *at = memchr(text + scheme, '@', host);
    if (at)
        return "a name and password in the address, where others can read them: they belong into the secret_file";
    if (host == 0 || text[scheme] == ':')
        return "no host in it";
    for (const char *p = text; *p; p++)
        if (isspace((unsigned char)*p) || (unsigned char)*p < ' ' || *p == 0x7f || strchr("\"<>\\^`{|}", *p))
            return "a character that must be written as % and two digits";
    return NULL;
}

static const char *problem_of(const struct option *o, const char *text)
{
    switch (o->type) {
    case OPTION_HOST:
        return host_problem(text);
    case OPTION_HOSTS:
        return hosts_problem(text);
    case OPTION_TOPIC:
        return topic_problem(text);
    case OPTION_URL:
        return *text ? option_url_problem(text) : NULL;
    case OPTION_PATH:
        return text[0] == '~' && text[1] == '/' ? "~ is not replaced by the home directory here: write the whole path"
                                                : NULL;
    default:
        return NULL;
    }
}

int option_parse_text(const struct option *o, void *base, const char *text, struct err *err)
{
    size_t n = strlen(text);
    const char *problem = NULL;
    struct argv argv;

    for (const char *p = text; *p; p++)
        if (iscntrl((unsigned char)*p))
            problem = "a control character in it";
    if (n >= o->size)
        problem = "too long";
    else if (!problem)
        problem = problem_of(o, text);
    if (problem)
        return option_refuse(o, problem, err);
    if (o->type == OPTION_COMMAND && *text && argv_split(&argv, text, err) < 0)
        return -1;
    if (o->type == OPTION_MESSAGE && event_text_check(text, err) < 0)
        return -1;
    memcpy(option_at(o, base), text, n + 1);
    return 0;
}

static int check_name(const struct option *o, const char *name, size_t n, struct err *err)
{
    if (!o->words)
        return config_label_valid(name, n) ? 0 : config_refuse_label("a class name", name, n, err);
    for (const struct option_word *w = o->words; w->word; w++)
        if (strlen(w->word) == n && memcmp(w->word, name, n) == 0)
            return 0;
    char what[96];
    snprintf(what, sizeof what, "\"%.*s\" is none of them", (int)(n < 60 ? n : 60), name);
    return option_refuse(o, what, err);
}

bool option_names_have(const char *list, const char *name)
{
    size_t n = strlen(name);

    for (const char *p = list; *p; p += strspn(p, ", ")) {
        size_t m = strcspn(p, ", ");
        if (m == n && memcmp(p, name, n) == 0)
            return true;
        p += m;
    }
    return false;
}

int option_parse_names(const struct option *o, void *base, const char *text, struct err *err)
{
    const char *const between = ", \t";
    char *field = option_at(o, base), list[OPTION_VALUE], name[LABEL_SIZE];
    size_t used = strlen(field);

    if (!*text) {
        *field = '\0';
        return 0;
    }
    memcpy(list, field, used + 1);
    for (const char *p = text + strspn(text, between); *p;) {
        size_t n = strcspn(p, between);
        if (check_name(o, p, n, err) < 0)
            return -1;
        snprintf(name, sizeof name, "%.*s", (int)n, p);
        if (!option_names_have(list, name)) {
            if (used + n + 3 > o->size)
                return option_refuse(o, "too many of them; a group is shorter", err);
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", name);
        }
        p += n + strspn(p + n, between);
    }
    memcpy(field, list, used + 1);
    return 0;
}
