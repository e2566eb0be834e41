#include "upstream/fail.h"

/* What libcurl says -> what a person needs to know. */
static const struct row {
    CURLcode code;
    enum ag_err err;
    const char *says;
} ROWS[] = {
    {CURLE_COULDNT_RESOLVE_HOST, AG_EUNREACHABLE, "its name has no address"},
    {CURLE_COULDNT_CONNECT, AG_EUNREACHABLE, "it takes no connection"},
    {CURLE_SSL_CONNECT_ERROR, AG_EUPTLS, "TLS could not be set up"},
    {CURLE_SSL_CACERT_BADFILE, AG_EUPTLS,
     "the file of trusted roots can't be read"},
    {CURLE_SSL_CERTPROBLEM, AG_EUPTLS, "TLS could not be set up"},
    {CURLE_SSL_CIPHER, AG_EUPTLS, "TLS found no common cipher"},
    {CURLE_SSL_ENGINE_INITFAILED, AG_EUPTLS, "TLS could not be set up"},
    {CURLE_OUT_OF_MEMORY, AG_ENOMEM, "out of memory"},
    {CURLE_GOT_NOTHING, AG_EUPSTREAM, "it closed without an answer"},
    {CURLE_PARTIAL_FILE, AG_EUPSTREAM, "it closed within its answer"},
    {CURLE_RECV_ERROR, AG_EUPSTREAM, "the connection broke"},
    {CURLE_SEND_ERROR, AG_EUPSTREAM, "the connection broke"},
    {CURLE_HTTP2, AG_EUPSTREAM, "it broke HTTP/2"},
    {CURLE_HTTP2_STREAM, AG_EUPSTREAM, "it broke off the HTTP/2 stream"},
    {CURLE_SEND_FAIL_REWIND, AG_EUPSTREAM,
     "it wants the body a second time, which is gone"},
    /* A callback of ours that stops a call says why (call_stop); otherwise
     * libcurl had no memory to ask it. */
    {CURLE_ABORTED_BY_CALLBACK, AG_ENOMEM, "out of memory"},
    {CURLE_WRITE_ERROR, AG_ENOMEM, "out of memory"},
    {CURLE_READ_ERROR, AG_ENOMEM, "out of memory"},
};

/* Source: openssl/x509_vfy.h, whose numbers are part of its ABI; 1 stands until
 * libcurl has asked OpenSSL, and it compares the names before that. */
static const struct verdict {
    long number;
    const char *says;
} VERDICTS[] = {
    {0, "its certificate is for another name"},
    {1, "its certificate is for another name"},
    {9, "its certificate is not valid yet"},
    {10, "its certificate has expired"},
    {18, "its certificate is self-signed"},
    {19, "its certificate comes from an unknown authority"},
    {20, "its certificate comes from an unknown authority"},
    {21, "its certificate comes from an unknown authority"},
    {23, "its certificate was revoked"},
    {26, "its certificate is not for a server"},
    {62, "its certificate is for another name"},
    {64, "its certificate is for another address"},
};

static const char *
verdict_says(long verify)
{
    for (size_t i = 0; i < AG_COUNT(VERDICTS); i++) {
        if (VERDICTS[i].number == verify) {
            return VERDICTS[i].says;
        }
    }
    return "its certificate does not verify";
}

enum ag_err
fail_of(CURLcode code, long verify, const char *host)
{
    if (code == CURLE_OK) {
        return AG_OK;
    }
    if (code == CURLE_PEER_FAILED_VERIFICATION) {
        return err_why(AG_EUPTLS, "%s: %s", host, verdict_says(verify));
    }
    if (code == CURLE_OPERATION_TIMEDOUT) {
        return fail_late(PHASE_CONNECT, false, host);
    }
    for (size_t i = 0; i < AG_COUNT(ROWS); i++) {
        if (ROWS[i].code == code) {
            return err_why(ROWS[i].err, "%s: %s", host, ROWS[i].says);
        }
    }
    return err_why(AG_EUPSTREAM, "%s: its answer is not HTTP (libcurl %d)",
                   host, (int)code);
}

enum ag_err
fail_late(enum call_phase phase, bool whole, const char *host)
{
    static const char *const SAYS[] = {
        [PHASE_CONNECT] = "no connection in time",
        [PHASE_ASK] = "no answer in time",
        [PHASE_ANSWER] = "its answer stopped",
    };

    return err_why(AG_EUPTIME, "%s: %s", host,
                   whole ? "the call took too long" : SAYS[phase]);
}
