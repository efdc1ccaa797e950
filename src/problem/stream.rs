//! Conditions of the room `stream`.

super::entries! {
    DECLARATION = "stream.declaration", Error, Problem, "A stream's declaration cannot be read",
        "This is a fault of the program, not of your data. Please report it with the place named here.";
}
