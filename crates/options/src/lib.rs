//! The one option table, from which the command line, the help and the documentation come.
