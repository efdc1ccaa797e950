//! Conditions of the room `vault`.

super::entries! {
    VAULT_MISSING = "vault.missing", Error, Closed,
        "There is no vault",
        "Run `counterfoil init`, then set the keys with `counterfoil key set`.";
    VAULT_EXISTS = "vault.exists", Error, Problem,
        "There is a vault already",
        "Use it as it is; to begin anew, move the old file away first: the keys in it are lost with it.";
    VAULT_UNREADABLE = "vault.unreadable", Error, Closed,
        "The vault cannot be read",
        "Run the command as the owner of the data directory, and see that the vault is a plain file of that owner.";
    VAULT_DAMAGED = "vault.damaged", Error, Closed,
        "The vault is damaged",
        "Restore the file from a backup, or move it away, run `counterfoil init` and set the keys again.";
    VAULT_NEWER = "vault.newer", Error, Closed,
        "The vault was made by a newer version",
        "Install the version of counterfoil that wrote it, or a later one. The file was not touched.";
    VAULT_WRONG_KEY = "vault.wrong_key", Error, Closed,
        "The key file does not open this vault",
        "Put back the key file that the vault was made with. Without it, move the vault away, run `counterfoil init` and set the keys again.";
    VAULT_UNSAVED = "vault.unsaved", Error, Problem,
        "The vault could not be saved; nothing was changed",
        "See that the data directory can be written and that the disk is not full, then run the command again.";
    VAULT_NO_KEY = "vault.no_key", Error, Problem,
        "No key is set",
        "Set it with `counterfoil key set CONNECTION`.";
    VAULT_ORIGIN = "vault.origin", Error, Problem,
        "The key was not set for this address",
        "Set the key again for this origin with `counterfoil key set CONNECTION`, or put back the address it was set for.";
    VAULT_LABEL = "vault.label", Error, Problem,
        "A key cannot be kept like this",
        "Give the connection a plain name (a-z, 0-9, - and _), and the key itself at the prompt, not empty; check `base_url`, which says where the key may be sent.";
    VAULT_URL = "vault.url", Error, Problem,
        "Not an address that a key can be sent to",
        "Write it as https://HOST or https://HOST:PORT, without a user name; a host in other scripts in its xn-- form.";
    VAULT_PLAIN_HTTP = "vault.plain_http", Error, Problem,
        "A key would travel unencrypted",
        "Use https. Plain http is for this machine only: localhost, 127.0.0.0/8 or [::1].";
    VAULT_KEY_FILE_UNREADABLE = "vault.key_file_unreadable", Error, Closed,
        "The key file cannot be read",
        "Run the command as the owner of the key file, or put the file back; `counterfoil init` makes one for a new vault.";
    VAULT_KEY_FILE_KIND = "vault.key_file_kind", Error, Closed,
        "The key file is not a plain file",
        "Name the file itself: not a link, a folder, a pipe or a device.";
    VAULT_KEY_FILE_OWNER = "vault.key_file_owner", Error, Closed,
        "The key file belongs to another user",
        "Give it to the user that runs counterfoil, or to root: `chown USER FILE`.";
    VAULT_KEY_FILE_RIGHTS = "vault.key_file_rights", Error, Closed,
        "Others have rights to the key file",
        "Take them away with `chmod 600 FILE`. If others may have read it, make a new key file and vault, and replace the keys at the providers.";
    VAULT_KEY_FILE_CONTENT = "vault.key_file_content", Error, Closed,
        "The key file does not hold a key",
        "Put back the file as it was made: 32 bytes in base64, on one line.";
    VAULT_KEY_FILE_EXISTS = "vault.key_file_exists", Error, Problem,
        "There is a key file already",
        "Use it as it is; a vault made with it cannot be opened without it.";
    VAULT_KEY_FILE_UNSAVED = "vault.key_file_unsaved", Error, Problem,
        "The key file could not be written",
        "See that its folder exists and can be written and that the disk is not full, then run the command again.";
}
