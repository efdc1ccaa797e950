//! Conditions of the room `providers`.

super::entries! {
    KEY_PUBLISHABLE = "key.publishable", Error, Problem, "This is a publishable key, which cannot read anything",
        "Use a key that can read (at Stripe a restricted key, at Checkout.com a secret key): `counterfoil init` prints the permissions to tick.";
    KEY_OLD_PLATFORM = "key.old_platform", Error, Problem, "This key belongs to Checkout.com's previous platform",
        "Make a secret key in the current Dashboard (it begins with sk_ and has no dashes).";
    KEY_FORM = "key.form", Error, Problem, "This does not look like a key of this provider",
        "Copy it again, whole. Keys may end in a sign like *, #, $ or =, which shells and files can swallow: paste it at the prompt.";
}
