"""The process that mirrors an object store beside a service, or on its own."""
