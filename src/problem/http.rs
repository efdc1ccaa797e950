//! Conditions of the room `http`.

super::entries! {
    // What the transport needs from this machine.
    HTTP_CA_FILE = "http.ca_file", Error, Config, "The file of certificate authorities (`ca_file`) cannot be used",
        "Give a readable file with one or more certificates in PEM form (-----BEGIN CERTIFICATE-----).";
    HTTP_NO_ROOTS = "http.no_roots", Error, Config, "This machine has no trusted certificate authorities",
        "Install the system's package `ca-certificates`, or name a PEM file with `ca_file`.";
    HTTP_PROXY = "http.proxy", Error, Config, "The `proxy` address cannot be used",
        "Write it as http://host:port or https://host:port.";

    // No whole answer came.
    HTTP_UNREACHABLE = "http.unreachable", Error, Problem, "The server cannot be reached",
        "Check the network, the name service, the firewall and `proxy`; it is tried again by itself.";
    HTTP_TLS = "http.tls", Error, Problem, "No trusted TLS connection came about",
        "If a device in your network inspects TLS, name its certificate authority with `ca_file`; check this machine's date too.";
    HTTP_TIMEOUT = "http.timeout", Error, Problem, "The answer did not come in time",
        "Usually passes by itself; it is tried again. If it stays, look at the network and the provider's status page.";
    HTTP_CUT = "http.cut", Error, Problem, "The connection ended before the answer did",
        "Nothing of the answer was used; it is tried again by itself.";
    HTTP_PROTOCOL = "http.protocol", Error, Problem, "The answer breaks the rules of HTTP",
        "Something between here and the server, such as a proxy, may be altering answers; check `base_url` and `proxy`.";

    // An answer came that must not be used.
    HTTP_ENDLESS = "http.endless", Error, Problem, "The answer does not say where it ends, so a cut would go unseen",
        "Nothing of it was used. A proxy that removes Content-Length is the usual cause; go round it or update it.";
    HTTP_DAMAGED = "http.damaged", Error, Problem, "The compressed answer is damaged or cut",
        "Nothing of it was used; it is tried again by itself.";
    HTTP_ENCODING = "http.encoding", Error, Problem, "The answer is compressed in a way that was not asked for",
        "Only gzip is asked for; a proxy that re-compresses answers is the usual cause: go round it or let it pass answers as they are.";
    HTTP_EMPTY = "http.empty", Error, Problem, "The answer is empty where data must be",
        "It does not count as 'no data'; it is tried again by itself.";
    HTTP_WRONG_CONTENT = "http.wrong_content", Error, Problem, "The answer is not the kind of document asked for (often a web page in HTML)",
        "Check `base_url`; a login page, a proxy or a maintenance page may be answering instead of the provider.";
    HTTP_TOO_LARGE = "http.too_large", Error, Problem, "The answer is larger than any honest one",
        "Nothing of it was used. Check `base_url`; if it is right, report this with the stream's name.";
    HTTP_REDIRECT = "http.redirect", Error, Problem, "The server points to another address, which is not followed",
        "Check `base_url`: it must be the API's own address. The key was not sent anywhere else.";
    HTTP_UNEXPECTED_STATUS = "http.unexpected_status", Error, Problem, "The server answered with a status that this request never has",
        "Check `base_url` and `proxy`; nothing of the answer was used.";

    // The server refused.
    HTTP_UNAUTHORISED = "http.unauthorised", Error, Problem, "The key was refused (401)",
        "It may be expired, rolled or of another environment; set a new one with `counterfoil key set`.";
    HTTP_FORBIDDEN = "http.forbidden", Error, Problem, "The key lacks a permission (403)",
        "Add the permission to the key in the provider's dashboard, or leave the stream out; `counterfoil key test` lists what is missing.";
    HTTP_NOT_FOUND = "http.not_found", Error, Problem, "The server does not know this address or object (404)",
        "It does not count as 'no data'. Check `base_url`, the environment and whether the account offers this.";
    HTTP_BAD_REQUEST = "http.bad_request", Error, Problem, "The server refused the request as wrong",
        "If it stays, report it with the status and the request id.";
    HTTP_CONFLICT = "http.conflict", Error, Problem, "The server reports a conflict (409)",
        "Usually passes by itself; it is tried again.";
    HTTP_RATE_LIMITED = "http.rate_limited", Warning, Problem, "The provider asks for fewer requests (429)",
        "The pace is lowered by itself. If it stays, lower `requests_per_second`: other programs share the account's allowance.";
    HTTP_SERVER_ERROR = "http.server_error", Error, Problem, "The server failed (5xx)",
        "Usually passes by itself; it is tried again. If it stays, look at the provider's status page.";
}
