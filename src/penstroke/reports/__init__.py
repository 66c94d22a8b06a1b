"""Reports and exports of a treatment: values in, text or bytes out. No pen, no database, no clock."""
