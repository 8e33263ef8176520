//! The thalweg program: one multi-call command.
