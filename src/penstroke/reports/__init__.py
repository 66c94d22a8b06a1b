"""Reports and exports of a treatment's record: values in, text or bytes out. No pen, no database, no clock."""
