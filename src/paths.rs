//! Where things lie: the configuration file, the data directory, the log directory. Reads the environment of the
//! service manager and the `directories` crate; creates nothing.
