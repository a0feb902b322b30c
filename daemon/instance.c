#include "daemon/instance.h"

#include "daemon/cmd.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VARIABLE "EARSHOT_INSTANCE"

int instance_set(const char *name, struct err *err)
{
    size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

    if (n == 0 || name[n] || n >= INSTANCE_SIZE || *name == '-')
        return err_set(err, "\"%.40s\" cannot be an instance; allowed: 1 to %d of A-Z, a-z, 0-9, _ and -, not - first",
                       name, INSTANCE_SIZE - 1);
    if (strcmp(name, "earshot") == 0)
        return err_set(err, "an instance cannot be called earshot: earshot.conf is that of the daemon without a name");
    return setenv(VARIABLE, name, 1) == 0 ? 0 : err_set(err, "no memory");
}

const char *instance_name(void)
{
    const char *name = getenv(VARIABLE);
    return name ? name : "";
}

int instance_path(char *out, size_t size, const char *folder)
{
    const char *name = instance_name();
    return snprintf(out, size, "%s/earshot%s%s", folder, *name ? "-" : "", name);
}

int instance_config(char *out, size_t size)
{
    const char *name = instance_name();
    return *name ? snprintf(out, size, "/etc/earshot/%s.conf", name) : snprintf(out, size, CONFIG_DEFAULT_PATH);
}

void instance_node(struct config *c)
{
    char host[256] = "";

    if (!*instance_name() || c->mqtt.node[0] || gethostname(host, sizeof host - 1) < 0)
        return;
    /* room for the name: two instances must not come to the same */
    size_t room = sizeof c->mqtt.node - 1 - strlen(instance_name()) - 1;
    snprintf(c->mqtt.node, sizeof c->mqtt.node, "%.*s-%s", (int)room, host, instance_name());
}
