/* The exports: facts come in, answers lie in static memory until the gateway has read them, which it has when it calls again. */
#include "internal.h"

enum { REQUEST, RESPONSE };
enum { HEAD, BODY, TRAILERS };
enum { MAX_FACTS = 64 };
#define ABSENT UINT32_MAX

struct tg_message {
    uint32_t exchange;
    int direction, part;
    /* Of a head hook. */
    const char *data;
    const uint32_t *ends;
    /* Of a trailers hook. */
    tg_fields trailers;
    tg_edit *edits;
    size_t edit_count, edit_room;
    tg_name_value *reply_fields;
    size_t reply_field_count, reply_field_room;
    bool released;
};

typedef struct {
    const char *names[MAX_FACTS];
    size_t count;
} facts;

struct tg_interest {
    facts facts[2];
    uint8_t whole[2];
    uint32_t tick_ms;
    size_t state;
};

static tg_interest wanted;

/* `record reply` */
typedef struct {
    uint16_t status;
    tg_fields fields;
    tg_text body;
} reply;

/* `result<head-answer, string>` and the like: what is not there in one kind of answer is not looked at. */
static union {
    struct {
        uint32_t is_error, action;
        union {
            reply reply;
            tg_text bytes;
        };
        union {
            tg_list head_edits;
            struct {
                uint32_t release;
                tg_list body_edits;
            };
        };
    };
    struct {
        uint32_t error_case;
        tg_text error;
    };
    struct {
        uint32_t subscription_case;
        uint8_t hooks;
        tg_list request_facts, response_facts;
        uint8_t request_body, response_body;
        uint32_t tick_ms;
    };
} answer;

/* A place for the facts of a head hook, which then need no allocation; the linker exports its address. */
__attribute__((used, visibility("default"), aligned(8))) char tg_inbox[4096] __asm__("tollgate:inbox");

static void *fail(tg_text message) {
    answer.error_case = 1;
    answer.error = message;
    return &answer;
}

static void panic(const char *reason, const char *name) {
    tg_buffer message = { 0 };
    tg_append(&message, tg_text_of(reason));
    tg_append(&message, tg_text_of(name));
    tg_log(TG_LOG_ERROR, tg_buffer_text(&message));
    __builtin_trap();
}

/* ---- configure ---- */

static void want(facts *facts, const char *name) {
    for (size_t i = 0; i < facts->count; i++)
        if (tg_equal(tg_text_of(facts->names[i]), tg_text_of(name))) return;
    if (facts->count == MAX_FACTS) panic("more than 64 facts are wanted; the first one too many is ", name);
    facts->names[facts->count++] = name;
}

void tg_want_request(tg_interest *interest, const char *name) { want(&interest->facts[REQUEST], name); }
void tg_want_response(tg_interest *interest, const char *name) { want(&interest->facts[RESPONSE], name); }
void tg_want_whole_request_body(tg_interest *interest) { interest->whole[REQUEST] = 1; }
void tg_want_whole_response_body(tg_interest *interest) { interest->whole[RESPONSE] = 1; }
void tg_want_ticks(tg_interest *interest, uint32_t milliseconds) { interest->tick_ms = milliseconds; }
void tg_want_state(tg_interest *interest, size_t bytes) { interest->state = bytes; }

static tg_text reason;

tg_result tg_error(tg_text message) {
    reason = message;
    return TG_FAILED;
}

static tg_list names(const facts *facts) {
    tg_text *texts = tg_allocate(facts->count * sizeof(tg_text));
    for (size_t i = 0; i < facts->count; i++) texts[i] = tg_text_of(facts->names[i]);
    return (tg_list){ texts, facts->count };
}

TG_HOOK("configure") void *tg_configure(char *text, size_t length) {
    tg_json config = tg_json_parse((tg_text){ text, length });
    tg_result result = configure(config, &wanted);
    if (result == TG_OK) {
        memset(&answer, 0, sizeof answer);
        bool hooks[] = { on_request,  on_request_body,  on_request_trailers,          on_response, on_response_body,
                         on_response_trailers, on_end || wanted.state };
        for (size_t i = 0; i < sizeof hooks; i++) answer.hooks |= (uint8_t)(hooks[i] << i);
        answer.request_facts = names(&wanted.facts[REQUEST]);
        answer.response_facts = names(&wanted.facts[RESPONSE]);
        answer.request_body = wanted.whole[REQUEST];
        answer.response_body = wanted.whole[RESPONSE];
        answer.tick_ms = wanted.tick_ms;
    }
    tg_keep_memory();
    tg_end_hook();
    return result == TG_OK ? &answer : fail(reason);
}

/* ---- answers ---- */

static tg_text fault_reason;

static void *set_action(const tg_message *message, uint32_t action) {
    answer.is_error = 0;
    answer.action = action;
    tg_list edits = { message->edits, message->edit_count };
    if (message->part == BODY) {
        answer.release = message->released;
        answer.body_edits = edits;
    } else {
        answer.head_edits = edits;
    }
    return &answer;
}

static void *give_answer(const tg_message *message, tg_action action) {
    tg_end_hook();
    bool is_head = message->part == HEAD, is_body = message->part == BODY;
    switch (action) {
    case TG_FORWARD: return set_action(message, 0);
    case TG_HOLD:
        if (is_head) return set_action(message, 1);
        break;
    case TG_REPLIED: return set_action(message, message->part == TRAILERS ? 1 : 2);
    case TG_REPLACED:
        if (is_body) return set_action(message, 1);
        break;
    case TG_ENDED:
        if (is_body) return set_action(message, 3);
        break;
    case TG_ABORT:
        if (!is_head) return set_action(message, is_body ? 4 : 2);
        break;
    case TG_FAULT: return fail(fault_reason);
    }
    return fail(TG("the hook has returned what a hook of its kind cannot"));
}

static void *on_head(int direction, tg_action (*hook)(tg_message *), uint32_t exchange, const char *data, const uint32_t *ends) {
    tg_begin_hook();
    tg_message message = { .exchange = exchange, .direction = direction, .part = HEAD, .data = data, .ends = ends };
    return give_answer(&message, hook ? hook(&message) : TG_FORWARD);
}

TG_HOOK("on-request-head") void *tg_request_head(uint32_t exchange, const char *data, size_t length, const uint32_t *ends, size_t count) {
    (void)length, (void)count;
    return on_head(REQUEST, on_request, exchange, data, ends);
}

TG_HOOK("on-response-head") void *tg_response_head(uint32_t exchange, const char *data, size_t length, const uint32_t *ends, size_t count) {
    (void)length, (void)count;
    return on_head(RESPONSE, on_response, exchange, data, ends);
}

static void *on_body(int direction, tg_action (*hook)(tg_message *, tg_piece), uint32_t exchange, tg_piece piece) {
    tg_begin_hook();
    tg_message message = { .exchange = exchange, .direction = direction, .part = BODY };
    return give_answer(&message, hook ? hook(&message, piece) : TG_PASS);
}

TG_HOOK("on-request-body") void *tg_request_body(uint32_t exchange, const char *data, size_t length, bool last) {
    return on_body(REQUEST, on_request_body, exchange, (tg_piece){ { data, length }, last });
}

TG_HOOK("on-response-body") void *tg_response_body(uint32_t exchange, const char *data, size_t length, bool last) {
    return on_body(RESPONSE, on_response_body, exchange, (tg_piece){ { data, length }, last });
}

static void *on_trailers(int direction, tg_action (*hook)(tg_message *), uint32_t exchange, tg_fields fields) {
    tg_begin_hook();
    tg_message message = { .exchange = exchange, .direction = direction, .part = TRAILERS, .trailers = fields };
    return give_answer(&message, hook ? hook(&message) : TG_PASS);
}

TG_HOOK("on-request-trailers") void *tg_request_trailers(uint32_t exchange, const tg_name_value *items, size_t count) {
    return on_trailers(REQUEST, on_request_trailers, exchange, (tg_fields){ items, count });
}

TG_HOOK("on-response-trailers") void *tg_response_trailers(uint32_t exchange, const tg_name_value *items, size_t count) {
    return on_trailers(RESPONSE, on_response_trailers, exchange, (tg_fields){ items, count });
}

TG_HOOK("on-exchange-end") void tg_exchange_end(uint32_t exchange) {
    tg_begin_hook();
    void *state = tg_end_state(exchange);
    if (on_end) on_end(state);
    if (state) tg_free_state(state);
    tg_end_hook();
}

TG_HOOK("on-tick") void *tg_tick(void) {
    tg_begin_hook();
    tg_result result = on_tick ? on_tick() : TG_OK;
    tg_end_hook();
    if (result == TG_FAILED) return fail(reason);
    answer.is_error = 0;
    return &answer;
}

/* ---- in a hook ---- */

tg_text tg_field(const tg_message *message, const char *name) {
    if (message->part == TRAILERS) return tg_find_field(message->trailers, name);
    const facts *facts = &wanted.facts[message->direction];
    size_t length = strlen(name);
    uint32_t start = 0;
    for (size_t i = 0; message->part == HEAD && i < facts->count; i++) {
        uint32_t end = message->ends[i];
        const char *known = facts->names[i];
        if (known == name || (memcmp(known, name, length) == 0 && known[length] == 0))
            return end == ABSENT ? (tg_text){ 0 } : (tg_text){ message->data + start, end - start };
        if (end != ABSENT) start = end;
    }
    panic("a fact that is not there: name it in `configure`, or use `tg_look_up`, which body hooks have to: ", name);
    return (tg_text){ 0 };
}

TG_IMPORT("exchange", "get") void exchange_get(uint32_t exchange, int message, const char *name, size_t length, void *result);
TG_IMPORT("exchange", "fields") void exchange_fields(uint32_t exchange, int message, tg_fields *result);

static tg_text look_up(uint32_t exchange, int direction, const char *name) {
    struct {
        uint32_t is_there;
        tg_text text;
    } result;
    exchange_get(exchange, direction, name, strlen(name), &result);
    return (uint8_t)result.is_there ? result.text : (tg_text){ 0 };
}

tg_text tg_look_up(const tg_message *message, const char *name) { return look_up(message->exchange, message->direction, name); }
tg_text tg_look_up_request(const tg_message *response, const char *name) { return look_up(response->exchange, REQUEST, name); }

tg_fields tg_all_fields(const tg_message *message) {
    if (message->part == TRAILERS) return message->trailers;
    tg_fields fields;
    exchange_fields(message->exchange, message->direction, &fields);
    return fields;
}

/* Room for one more in a list that belongs to the hook. */
static void *one_more(void *items, size_t size, size_t *count, size_t *room) {
    if (*count == *room) {
        size_t larger = *room ? *room * 2 : 8;
        void *copy = tg_take_memory(larger * size);
        memcpy(copy, items, *count * size);
        *room = larger;
        items = copy;
    }
    ++*count;
    return items;
}

static void edit(tg_message *message, uint32_t kind, const char *name, tg_text value) {
    message->edits = one_more(message->edits, sizeof(tg_edit), &message->edit_count, &message->edit_room);
    message->edits[message->edit_count - 1] = (tg_edit){ kind, tg_text_of(name), value };
}

void tg_set(tg_message *message, const char *name, tg_text value) { edit(message, 0, name, value); }
void tg_add(tg_message *message, const char *name, tg_text value) { edit(message, 1, name, value); }
void tg_remove(tg_message *message, const char *name) { edit(message, 2, name, (tg_text){ 0 }); }
void tg_release(tg_message *message) { message->released = true; }

void tg_reply_field(tg_message *message, const char *name, tg_text value) {
    message->reply_fields = one_more(message->reply_fields, sizeof(tg_name_value), &message->reply_field_count, &message->reply_field_room);
    message->reply_fields[message->reply_field_count - 1] = (tg_name_value){ tg_text_of(name), value };
}

tg_action tg_reply(tg_message *message, unsigned status, tg_text body) {
    answer.reply = (reply){ (uint16_t)status, { message->reply_fields, message->reply_field_count }, body };
    return TG_REPLIED;
}

tg_action tg_problem(tg_message *message, unsigned status, tg_text title, tg_text detail) {
    tg_buffer body = { 0 };
    tg_append(&body, TG("{\"status\":"));
    tg_append(&body, tg_decimal(status));
    tg_append(&body, TG(",\"title\":"));
    tg_append_json(&body, title);
    if (tg_is(detail)) {
        tg_append(&body, TG(",\"detail\":"));
        tg_append_json(&body, detail);
    }
    tg_append(&body, TG("}"));
    tg_reply_field(message, "content-type", TG("application/problem+json"));
    return tg_reply(message, status, tg_buffer_text(&body));
}

tg_action tg_replace(tg_message *message, tg_text bytes) {
    (void)message;
    answer.bytes = bytes;
    return TG_REPLACED;
}

tg_action tg_end(tg_message *message, tg_text bytes) {
    (void)message;
    answer.bytes = bytes;
    return TG_ENDED;
}

tg_action tg_fault(tg_message *message, tg_text text) {
    (void)message;
    fault_reason = text;
    return TG_FAULT;
}

void *tg_state(tg_message *message) {
    if (!wanted.state) panic("no state was asked for: ", "use `tg_want_state` in `configure`");
    return tg_state_of(message->exchange, wanted.state);
}
