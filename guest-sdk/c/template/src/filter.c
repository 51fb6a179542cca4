/* Puts a stamp on every request that does not have one. */
#include <tollgate.h>

/* `value` of the policy's [config]. */
static tg_text value;

tg_result configure(tg_json config, tg_interest *interest) {
    value = tg_json_string(tg_json_get(config, "value"));
    if (!tg_is(value)) return tg_error(TG("value: is missing; write the stamp"));
    tg_want_request(interest, "x-stamp");
    return TG_OK;
}

tg_action on_request(tg_message *request) {
    if (!tg_is(tg_field(request, "x-stamp"))) tg_set(request, "x-stamp", value);
    return TG_FORWARD;
}
