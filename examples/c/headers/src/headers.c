/* Rewrites the heads of requests and responses: removes fields, sets them, adds them. */
#include <tollgate.h>

typedef struct {
    const char *name;
    tg_text value;
} change;

typedef struct {
    size_t count;
    change *items;
} changes;

/* What becomes of one message, in the order in which it does. */
typedef struct {
    changes remove, set, add;
} rules;

static rules of_request, of_response;

static size_t count(tg_json container) {
    size_t count = 0;
    tg_json value;
    for (size_t place = 0; tg_json_next(container, &place, NULL, &value);) count++;
    return count;
}

/* A list of names, or a table of names and values. */
static changes read_changes(tg_json container) {
    changes read = { count(container), NULL };
    read.items = tg_allocate(read.count * sizeof(change));
    change *next = read.items;
    tg_text name;
    tg_json value;
    for (size_t place = 0; tg_json_next(container, &place, &name, &value); next++) {
        bool is_table = container.kind == TG_JSON_OBJECT;
        next->name = tg_lower(is_table ? name : tg_json_string(value)).data;
        if (is_table) next->value = tg_json_string(value);
    }
    return read;
}

static rules read_rules(tg_json message) {
    return (rules){
        read_changes(tg_json_get(message, "remove")),
        read_changes(tg_json_get(message, "set")),
        read_changes(tg_json_get(message, "add")),
    };
}

tg_result configure(tg_json config, tg_interest *interest) {
    (void)interest;
    of_request = read_rules(tg_json_get(config, "request"));
    of_response = read_rules(tg_json_get(config, "response"));
    return TG_OK;
}

static tg_action apply(tg_message *message, const rules *rules) {
    for (size_t i = 0; i < rules->remove.count; i++) tg_remove(message, rules->remove.items[i].name);
    for (size_t i = 0; i < rules->set.count; i++) tg_set(message, rules->set.items[i].name, rules->set.items[i].value);
    for (size_t i = 0; i < rules->add.count; i++) tg_add(message, rules->add.items[i].name, rules->add.items[i].value);
    return TG_FORWARD;
}

tg_action on_request(tg_message *request) { return apply(request, &of_request); }
tg_action on_response(tg_message *response) { return apply(response, &of_response); }
