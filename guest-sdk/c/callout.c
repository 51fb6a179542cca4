/* `callout`: requests to upstreams, laid out as the interface has them. */
#include "internal.h"

typedef struct {
    uint8_t is_there;
    tg_text text;
} optional_text;

typedef struct {
    uint8_t is_there;
    uint32_t number;
} optional_number;

/* `record request` */
typedef struct {
    tg_text upstream, method, path;
    optional_text authority;
    tg_fields fields;
    tg_text body;
    optional_number timeout_ms, body_limit;
} request;

/* `result<response, error>` */
typedef struct {
    uint8_t is_error;
    union {
        struct {
            uint8_t kind;
            tg_text what;
        } error;
        struct {
            uint16_t status;
            tg_fields fields;
            tg_text body;
        } response;
    };
} outcome;

TG_IMPORT("callout", "send-all") void callout_send_all(const request *requests, size_t count, tg_list *results);

static optional_number number_if(uint32_t number) { return (optional_number){ number != 0, number }; }

void tg_call_all(const tg_callout *callouts, tg_callout_response *responses, size_t count) {
    request *requests = tg_allocate(count * sizeof(request));
    for (size_t i = 0; i < count; i++) {
        const tg_callout *callout = &callouts[i];
        requests[i] = (request){
            .upstream = callout->upstream,
            .method = callout->method,
            .path = callout->path,
            .authority = { tg_is(callout->authority), callout->authority },
            .fields = callout->fields,
            .body = callout->body,
            .timeout_ms = number_if(callout->timeout_ms),
            .body_limit = number_if(callout->body_limit),
        };
    }
    tg_list results;
    callout_send_all(requests, count, &results);
    const outcome *outcomes = results.items;
    for (size_t i = 0; i < count; i++) {
        const outcome *one = &outcomes[i];
        if (one->is_error)
            responses[i] = (tg_callout_response){ .result = (tg_callout_result)(one->error.kind + 1) };
        else
            responses[i] = (tg_callout_response){ TG_CALLOUT_OK, one->response.status, one->response.fields, one->response.body };
    }
}

tg_callout_response tg_call(tg_callout request) {
    tg_callout_response response;
    tg_call_all(&request, &response, 1);
    return response;
}

tg_text tg_callout_reason(tg_callout_result result) {
    switch (result) {
    case TG_CALLOUT_OK: return TG("ok");
    case TG_CALLOUT_NOT_GRANTED: return TG("the policy may not call that upstream");
    case TG_CALLOUT_INVALID: return TG("the callout is no request that could be sent");
    case TG_CALLOUT_TOO_MANY: return TG("the exchange has made as many callouts as it may");
    case TG_CALLOUT_UNAVAILABLE: return TG("the upstream of the callout is not available");
    case TG_CALLOUT_CONNECT: return TG("the upstream of the callout could not be connected to");
    case TG_CALLOUT_TIMEOUT: return TG("the callout was not answered in time");
    case TG_CALLOUT_BROKEN: return TG("the connection of the callout broke");
    case TG_CALLOUT_TOO_LARGE: return TG("the content of the callout is too large");
    }
    return TG("unknown");
}
