/* Answers in XML: what is found in them, and what is none. */
#include "common/check.h"
#include "rotate/xml.h"

#define LIST                                                                   \
    "<?xml version=\"1.0\"?>\n<R xmlns=\"https://x/\">\n <L>\n"                \
    "  <m><Id>one</Id><At>1</At></m>\n  <m><Id>two</Id><At/></m>\n </L>\n"     \
    " <T>true</T>\n</R>\n"

static void
check_found(const char *text, const char *path, size_t nth, const char *want)
{
    struct span got = {0};

    check_ok(xml_text(span_str(text), path, nth, &got));
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.ptr, want, got.len);
}

static void
test_elements_are_found_by_path_and_number(void **state)
{
    struct span got = {0};

    (void)state;
    check_found(LIST, "R/L/m/Id", 0, "one");
    check_found(LIST, "R/L/m/Id", 1, "two");
    check_found(LIST, "R/T", 0, "true");
    check_found(LIST, "R/L/m/At", 1, "");
    check_err(xml_text(span_str(LIST), "R/L/m/Id", 2, &got), AG_ENOTFOUND);
    check_err(xml_text(span_str(LIST), "L/m/Id", 0, &got), AG_ENOTFOUND);
    check_err(xml_text(span_str(LIST), "R/L/m", 0, &got), AG_ENOTFOUND);
    check_err(xml_text(span_str(LIST), "R/L", 0, &got), AG_ENOTFOUND);
}

static void
test_what_is_cut_anywhere_is_no_answer(void **state)
{
    const size_t len = sizeof(LIST) - 1;
    struct span got = {0};

    (void)state;
    for (size_t n = 0; n < len - 1; n++) { /* the last byte is a blank */
        check_err(xml_text(span_of(LIST, n), "R/L/m/Id", 0, &got), AG_EINVAL);
    }
    assert_null(got.ptr);
}

static void
test_what_is_not_such_a_text_is_refused(void **state)
{
    static const char *const BAD[] = {
        "",
        "text",
        "<html>it works!",
        "<a></b>",
        "<a><b></a></b>",
        "<a></a><a></a>",
        "<a></a>x",
        "x<a></a>",
        "</a>",
        "<a/></a>",
        "<aa><b></bb></aa>",
        "<r><a><xb></b><//></r/>",
        "<ab><b></ab></b>",
        "<!DOCTYPE a><a></a>",
        "<a><![CDATA[x]]></a>",
        "<a><!-- x --></a>",
        "<a><?x?></a>",
        "<>x</>",
        "<a><1$></1$></a>",
        "{\"a\":1}",
    };
    struct span got = {0};

    (void)state;
    for (size_t i = 0; i < AG_COUNT(BAD); i++) {
        check_err(xml_text(span_str(BAD[i]), "none", 0, &got), AG_EINVAL);
    }
    /* An entity may stand where nobody looks. */
    check_found("<a><b>x &amp; y</b><c>z</c></a>", "a/c", 0, "z");
    check_err(xml_text(span_str("<a><b>x &amp; y</b></a>"), "a/b", 0, &got),
              AG_EINVAL);
}

static void
test_depth_has_its_limit(void **state)
{
    char text[(XML_DEPTH_MAX + 1) * 7 + 1] = "";
    struct span got = {0};

    (void)state;
    for (size_t deep = XML_DEPTH_MAX; deep <= XML_DEPTH_MAX + 1; deep++) {
        for (size_t i = 0; i < deep; i++) {
            memcpy(text + 3 * i, "<a>", 3);
            memcpy(text + 3 * deep + 4 * i, "</a>", 4);
        }
        check_err(xml_text(span_of(text, 7 * deep), "b", 0, &got),
                  deep == XML_DEPTH_MAX ? AG_ENOTFOUND : AG_EINVAL);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements_are_found_by_path_and_number),
        cmocka_unit_test(test_what_is_cut_anywhere_is_no_answer),
        cmocka_unit_test(test_what_is_not_such_a_text_is_refused),
        cmocka_unit_test(test_depth_has_its_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
