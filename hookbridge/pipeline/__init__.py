"""The way of an event: receive → append → lanes → worker → attempts → settle."""
