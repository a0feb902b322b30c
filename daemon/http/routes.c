/* What the server serves: every file of routes, schemas and modules. */
#include "daemon/http/internal.h"

extern const struct route routes_classify[];
extern const struct route routes_clips[];
extern const struct route routes_control[];
extern const struct route routes_core[];
extern const struct route routes_events[];
extern const struct route routes_metrics[];
extern const struct route routes_openapi[];
extern const struct route routes_session[];
extern const struct route routes_settings[];
extern const struct route routes_status[];
extern const struct route routes_taught[];
extern const struct route routes_verdict[];

const struct route *const route_tables[] = {
    routes_core,     routes_metrics, routes_openapi, routes_session, routes_status,   routes_events, routes_clips,
    routes_settings, routes_control, routes_verdict, routes_taught,  routes_classify, NULL,
};

extern const struct web_schema schemas_classify[], schemas_events[], schemas_settings[], schemas_status[];

const struct web_schema *const schema_tables[] = {
    schemas_status, schemas_events, schemas_settings, schemas_classify, NULL,
};

extern const struct web_module module_live, module_upload;

const struct web_module *const web_modules[] = {&module_live, &module_upload, NULL};
