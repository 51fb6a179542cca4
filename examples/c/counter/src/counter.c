/* Counts the requests of each client address, in the store that all workers share, and refuses those beyond a number. */
#include <tollgate.h>

static int64_t limit;
static uint64_t window_ms;

tg_result configure(tg_json config, tg_interest *interest) {
    limit = tg_json_integer(tg_json_get(config, "limit"), 0);
    if (limit < 1) return tg_error(TG("limit: is missing or below 1; write how many requests may come in a window"));
    int64_t seconds = tg_json_integer(tg_json_get(config, "window"), 0);
    if (seconds < 1) return tg_error(TG("window: is missing or below 1; write the seconds of a window"));
    window_ms = (uint64_t)seconds * 1000;
    tg_want_request(interest, "@client-address");
    return TG_OK;
}

tg_action on_request(tg_message *request) {
    tg_buffer key = { 0 };
    tg_append(&key, TG("requests:"));
    tg_append(&key, tg_field(request, "@client-address"));
    int64_t count;
    tg_store_result result = tg_store_increment(TG(""), tg_buffer_text(&key), 1, window_ms, &count);
    if (result != TG_STORE_OK) return tg_fault(request, tg_store_reason(result));
    if (count > limit) return tg_problem(request, 429, TG("Too Many Requests"), (tg_text){ 0 });
    tg_set(request, "x-request-count", tg_decimal(count));
    return TG_FORWARD;
}
