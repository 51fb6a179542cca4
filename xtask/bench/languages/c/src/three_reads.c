/* Three reads and one write: what the bench of languages measures in each of them. */
#include <tollgate.h>

tg_result configure(tg_json config, tg_interest *interest) {
    (void)config;
    tg_want_request(interest, "user-agent");
    tg_want_request(interest, "accept");
    tg_want_request(interest, "x-api-key");
    return TG_OK;
}

tg_action on_request(tg_message *request) {
    tg_buffer all = { 0 };
    tg_append(&all, tg_field(request, "user-agent"));
    tg_append(&all, tg_field(request, "accept"));
    tg_append(&all, tg_field(request, "x-api-key"));
    tg_set(request, "x-out", tg_buffer_text(&all));
    return TG_FORWARD;
}
