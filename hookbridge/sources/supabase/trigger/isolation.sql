-- Whatever the database's default is: what is read here ends no SERIALIZABLE transaction.
set transaction isolation level read committed;
