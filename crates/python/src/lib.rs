//! The Python extension module: the application host behind python -m thalweg.
