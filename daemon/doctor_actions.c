/* Programs and addresses of events: what keeps `earshot run` from starting is said here before. */
#include "daemon/doctor.h"
#include "daemon/outputs/action.h"
#include "daemon/outputs/webhook.h"

#include <stdio.h>
#include <stdlib.h>

void doctor_actions(struct doctor *d)
{
    const struct config *c = &d->cx->config;
    char check[LABEL_SIZE + 16];
    struct err err;

    for (size_t i = 0; i < c->n_actions; i++) {
        struct action *a = action_new(&c->actions[i], NULL, 0, "", c->decision.late_after, NULL, &err);
        snprintf(check, sizeof check, "action %s", c->actions[i].name);
        if (a)
            doctor_say(d, DOCTOR_OK, check, NULL, "%s", c->actions[i].exec);
        else
            doctor_say(d, DOCTOR_FAIL, check, "earshot does not start without it", "%s", err.text);
        action_free(a);
    }
    for (size_t i = 0; i < c->n_webhooks; i++) {
        const struct webhook_config *config = &c->webhooks[i];
        snprintf(check, sizeof check, "webhook %s", config->name);
        if (!config->url[0] && !config->secret_file[0] && !getenv("CREDENTIALS_DIRECTORY")) {
            doctor_say(d, DOCTOR_WARN, check, "systemctl cat earshot shows whether it is there (LoadCredential=)",
                       "its address is in the credential webhook-%s, which the service alone sees", config->name);
            continue;
        }
        struct webhook *w = webhook_new(config, NULL, 0, "", c->decision.late_after, "", NULL, NULL, &err);
        if (w)
            doctor_say(d, DOCTOR_OK, check, NULL, "it has an address; `earshot test` tries it where it has test = on");
        else
            doctor_say(d, DOCTOR_FAIL, check, "earshot does not start without it", "%s", err.text);
        webhook_free(w);
    }
}
