/* A template filled with values: what is a reference and what is not, what may
 * be had, and that nothing is delivered while nothing changed. */
#include "base/buf.h"
#include "common/broker.h"
#include "core/render.h"

struct asked {
    const char *template;
    const char *unless;
    struct rendering got;
};

static enum ag_err
do_render(struct core *core, struct db_tx *tx, const struct call *call,
          const void *request, json_t **ret)
{
    struct asked *asked = *(struct asked *const *)request;
    AG_AUTO(secret) struct secret *text = secret_of(asked->template);
    const struct render_request what = {
        .text = text, .path = "/etc/app.conf", .unless = asked->unless};

    (void)ret;
    return core_render(core, tx, call, &what, &asked->got);
}

static enum ag_err
render_as(struct call call, struct asked *asked)
{
    struct asked *request = asked;

    return act(do_render, &call, &request, NULL);
}

static void
check_gives(const char *template, const char *want)
{
    struct asked asked = {.template = template};

    check_ok(render_as(call_of(flow.operator_peer), &asked));
    check_span(secret_view(asked.got.text), want);
    rendering_done(&asked.got);
}

static void
check_fails(const char *template, enum ag_err want, const char *says)
{
    struct asked asked = {.template = template};

    check_err(render_as(call_of(flow.operator_peer), &asked), want);
    assert_null(asked.got.text);
    assert_non_null(strstr(err_text(want), says));
}

static int
deliveries(void)
{
    AG_AUTO(wjson) json_t *tail = NULL;
    json_t *row = NULL;
    size_t index = 0;
    int count = 0;

    check_ok(record_audit(flow.core, -1, 500, &tail));
    json_array_foreach(json_object_get(tail, "rows"), index, row)
    {
        count += strcmp(text_at(row, "kind"), "value.delivered") == 0 ? 1 : 0;
    }
    return count;
}

static void
test_values_stand_in_the_place_of_references(void **state)
{
    (void)state;
    put("db/one", "first-value-0123456789", NULL);
    put("db/doc", "{\"a\":{\"b\":[\"inner-value-0123\"]}}", NULL);
    check_gives("no reference { } }} at all\n", "no reference { } }} at all\n");
    check_gives("{{ag://db/one}}", "first-value-0123456789");
    check_gives("x={{ \tag://db/one }}\ny={{ ag://db/doc#/a/b/0 }};",
                "x=first-value-0123456789\ny=inner-value-0123;");
    check_gives("{{\"{{\"}} x }} {{ \"{{\" }}", "{{ x }} {{");
    check_gives("{{ag://db/one}}{{ag://db/one}}",
                "first-value-0123456789first-value-0123456789");
}

static void
test_what_is_no_reference_is_told_with_its_line(void **state)
{
    (void)state;
    check_fails("{{ db/one }}", AG_EINVAL, "line 1 ");
    check_fails("a\n\n{{ ag://db/one }}\n{{ .Values.x }}", AG_EINVAL,
                "line 4 ");
    check_fails("{{ ag://db/one", AG_EINVAL, "line 1 ");
    check_fails("{{}}", AG_EINVAL, "line 1 ");
    check_fails("{{ ag://db/../one }}", AG_EINVAL, "line 1 ");
    check_fails("{{ ag://db/one\n}}", AG_EINVAL, "line 1 ");
}

static void
test_nothing_is_on_record_of_what_failed(void **state)
{
    int before = deliveries();

    (void)state;
    put("proxy/only", "proxy-value-0123456789", "proxy");
    check_fails("{{ag://db/one}} {{ag://db/none}}", AG_ENOTFOUND,
                "line 1 of the template: db/none");
    check_fails("{{ag://db/one}}\n\n{{ag://db/doc#/z}}", AG_ENOTFOUND,
                "line 3 of the template: ");
    check_fails("{{ag://db/one}}\n{{ag://proxy/only}}", AG_EGRADE,
                "line 2 of the template: ");
    check_fails("{{ag://db/one}} {{ag://auth-guard/key}}", AG_ENOTFOUND, "");
    assert_int_equal(deliveries(), before);
}

static void
test_an_unchanged_state_is_no_delivery(void **state)
{
    struct asked first = {.template = "{{ag://db/one}}{{ag://db/doc#/a}}"};
    struct asked again = {.template = first.template,
                          .unless = first.got.state};
    int before = deliveries();

    (void)state;
    check_ok(render_as(call_of(flow.operator_peer), &first));
    assert_int_equal(strlen(first.got.state), RENDER_STATE_BYTES - 1);
    assert_int_equal(deliveries(), before + 2);
    check_ok(render_as(call_of(flow.operator_peer), &again));
    assert_null(again.got.text);
    assert_string_equal(again.got.state, first.got.state);
    assert_int_equal(deliveries(), before + 2);
    put("db/one", "second-value-0123456789", NULL);
    check_ok(render_as(call_of(flow.operator_peer), &again));
    assert_non_null(again.got.text);
    assert_string_not_equal(again.got.state, first.got.state);
    assert_int_equal(deliveries(), before + 4);
    rendering_done(&first.got);
    rendering_done(&again.got);
}

static void
test_a_template_has_a_limit_of_references(void **state)
{
    static const char REF[] = "{{ag://db/one}}";
    AG_AUTO(buf) struct buf text = {0};

    (void)state;
    buf_init(&text, RENDER_MAX_BYTES, BUF_PLAIN);
    for (int i = 0; i < RENDER_REFS_MAX_COUNT; i++) {
        check_ok(buf_add_str(&text, REF));
    }
    {
        struct asked asked = {.template = buf_cstr(&text)};

        check_ok(render_as(call_of(flow.operator_peer), &asked));
        rendering_done(&asked.got);
    }
    check_ok(buf_add_str(&text, REF));
    check_fails(buf_cstr(&text), AG_ELIMIT, "at most");
}

static void
test_it_is_on_the_exposure_ledger(void **state)
{
    AG_AUTO(wjson) json_t *exposure = NULL;
    json_t *row = NULL;

    (void)state;
    check_ok(record_exposure(flow.core, "db/doc", NULL, &exposure));
    row = json_array_get(json_object_get(exposure, "exposure"), 0);
    assert_string_equal(text_at(row, "grade"), "file");
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_stand_in_the_place_of_references),
        cmocka_unit_test(test_what_is_no_reference_is_told_with_its_line),
        cmocka_unit_test(test_nothing_is_on_record_of_what_failed),
        cmocka_unit_test(test_an_unchanged_state_is_no_delivery),
        cmocka_unit_test(test_a_template_has_a_limit_of_references),
        cmocka_unit_test(test_it_is_on_the_exposure_ledger),
    };

    if (broker_is_helper(argc, argv)) {
        return filter_main(SPAWN_CHANNEL_FD, NULL);
    }
    return cmocka_run_group_tests(tests, flow_open_vault, flow_close);
}
