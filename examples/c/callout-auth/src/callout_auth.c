/* Lets requests through that an authorization service allows, and says nothing to those that it does not know. */
#include <tollgate.h>

enum { MOST = 32 };

static tg_text upstream, path = TG("/");
static const char *consumer;
static const char *fields[MOST] = { "authorization", "cookie" };
static size_t field_count = 2;
static uint32_t timeout_ms = 500;

tg_result configure(tg_json config, tg_interest *interest) {
    upstream = tg_json_string(tg_json_get(config, "upstream"));
    if (!tg_is(upstream)) return tg_error(TG("upstream: is missing; name the upstream of the service"));
    tg_text text = tg_json_string(tg_json_get(config, "path"));
    if (tg_is(text)) path = text;
    text = tg_json_string(tg_json_get(config, "consumer"));
    if (tg_is(text)) consumer = tg_lower(text).data;
    timeout_ms = (uint32_t)tg_json_integer(tg_json_get(config, "timeout-ms"), timeout_ms);
    tg_json list = tg_json_get(config, "fields"), name;
    if (list.kind == TG_JSON_ARRAY) field_count = 0;
    for (size_t place = 0; field_count < MOST && tg_json_next(list, &place, NULL, &name);)
        fields[field_count++] = tg_lower(tg_json_string(name)).data;
    tg_want_request(interest, ":method");
    tg_want_request(interest, ":path");
    for (size_t i = 0; i < field_count; i++) tg_want_request(interest, fields[i]);
    return TG_OK;
}

static tg_callout_response ask(tg_message *request) {
    static tg_name_value sent[MOST + 2];
    size_t count = 0;
    sent[count++] = (tg_name_value){ TG("x-original-method"), tg_field(request, ":method") };
    sent[count++] = (tg_name_value){ TG("x-original-path"), tg_field(request, ":path") };
    for (size_t i = 0; i < field_count; i++) {
        tg_text value = tg_field(request, fields[i]);
        if (tg_is(value)) sent[count++] = (tg_name_value){ tg_text_of(fields[i]), value };
    }
    return tg_call((tg_callout){
        .upstream = upstream, .method = TG("GET"), .path = path, .fields = { sent, count }, .timeout_ms = timeout_ms });
}

/* A field of the service's answer that a client who is refused gets to see. */
static void show(tg_message *request, tg_fields fields, const char *name) {
    tg_text value = tg_find_field(fields, name);
    if (tg_is(value)) tg_reply_field(request, name, value);
}

tg_action on_request(tg_message *request) {
    tg_callout_response verdict = ask(request);
    /* A service that does not answer is a fault: what becomes of the request then is the policy's `on-fault`. */
    if (verdict.result != TG_CALLOUT_OK) return tg_fault(request, tg_callout_reason(verdict.result));
    if (verdict.status >= 200 && verdict.status < 300) {
        tg_text name = consumer ? tg_find_field(verdict.fields, consumer) : (tg_text){ 0 };
        if (tg_is(name)) tg_set(request, "@consumer", name);
        return TG_FORWARD;
    }
    if (verdict.status == 401 || verdict.status == 403 || verdict.status == 302 || verdict.status == 303) {
        show(request, verdict.fields, "www-authenticate");
        show(request, verdict.fields, "location");
        if (verdict.status == 401) return tg_problem(request, 401, TG("Unauthorized"), (tg_text){ 0 });
        if (verdict.status == 403) return tg_problem(request, 403, TG("Forbidden"), (tg_text){ 0 });
        return tg_reply(request, verdict.status, (tg_text){ 0 });
    }
    return tg_fault(request, TG("the authorization service has given an answer that is none"));
}
