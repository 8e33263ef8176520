//! Sockets: listeners, transports, per-core workers and the driver that pumps one transport through one session.
