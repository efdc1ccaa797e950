//! Conditions of the room `sandbox`.

super::entries! {
    SANDBOX_PORT = "sandbox.port", Error, Problem,
        "The sandbox cannot listen on its port",
        "Choose another port, or 0 for any free one, or stop the program that holds it.";
    SANDBOX_CA = "sandbox.ca", Error, Problem,
        "The sandbox cannot set up TLS",
        "Check that the folder of the certificate file exists and can be written.";
    SANDBOX_THREAD = "sandbox.thread", Error, Problem,
        "The sandbox cannot start its server",
        "The system refused a thread or a socket; free some resources and try again.";
}
