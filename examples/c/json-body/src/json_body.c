/* Removes and sets members of JSON objects in response bodies. */
#include <tollgate.h>

static tg_json removed, set;

/* What is remembered from the head to the body. */
typedef struct {
    bool is_json;
} seen;

tg_result configure(tg_json config, tg_interest *interest) {
    removed = tg_json_get(config, "remove");
    set = tg_json_get(config, "set");
    tg_want_response(interest, "content-type");
    tg_want_whole_response_body(interest);
    tg_want_state(interest, sizeof(seen));
    return TG_OK;
}

tg_action on_response(tg_message *response) {
    tg_text type = tg_field(response, "content-type");
    ptrdiff_t parameters = tg_find(type, TG(";"));
    if (parameters >= 0) type = tg_slice(type, 0, (size_t)parameters);
    ((seen *)tg_state(response))->is_json = tg_equal(tg_lower(tg_trim(type)), TG("application/json"));
    return TG_FORWARD;
}

static bool is_removed(tg_text name) {
    tg_json one;
    for (size_t place = 0; tg_json_next(removed, &place, NULL, &one);)
        if (tg_equal(tg_json_string(one), name)) return true;
    return false;
}

static void append_member(tg_buffer *out, tg_text name, tg_text value) {
    tg_append(out, out->length > 1 ? TG(",") : TG(""));
    tg_append_json(out, name);
    tg_append(out, TG(":"));
    tg_append(out, value);
}

/* The value that `set` has for a name, as JSON; none if it has none. */
static tg_text value_set(tg_text name) {
    tg_text own;
    tg_json value;
    for (size_t place = 0; tg_json_next(set, &place, &own, &value);)
        if (tg_equal(own, name)) return value.text;
    return (tg_text){ 0 };
}

tg_action on_response_body(tg_message *response, tg_piece piece) {
    tg_json document = { 0 }, value;
    if (((seen *)tg_state(response))->is_json) document = tg_json_parse(piece.bytes);
    if (document.kind != TG_JSON_OBJECT) return TG_PASS;
    tg_buffer out = { 0 };
    tg_text name;
    tg_append(&out, TG("{"));
    for (size_t place = 0; tg_json_next(document, &place, &name, &value);) {
        if (is_removed(name)) continue;
        tg_text other = value_set(name);
        append_member(&out, name, tg_is(other) ? other : value.text);
    }
    for (size_t place = 0; tg_json_next(set, &place, &name, &value);) {
        tg_json had = { 0 }, one;
        tg_text known;
        for (size_t at = 0; tg_json_next(document, &at, &known, &one);)
            if (tg_equal(known, name) && !is_removed(known)) had = one;
        if (had.kind == TG_JSON_NONE) append_member(&out, name, value.text);
    }
    tg_append(&out, TG("}"));
    return tg_replace(response, tg_buffer_text(&out));
}
