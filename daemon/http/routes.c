/* What the server serves: every file of routes, schemas and modules, a line each. */
#include "daemon/http/internal.h"

extern const struct route routes_classify[];
extern const struct route routes_core[];
extern const struct route routes_session[];

const struct route *const route_tables[] = {routes_core, routes_classify, routes_session, NULL};

extern const struct web_schema schemas_classify[];

const struct web_schema *const schema_tables[] = {schemas_classify, NULL};

extern const struct web_module module_upload;

const struct web_module *const web_modules[] = {&module_upload, NULL};
