"""More than one machine: Ray and Spark hand out parts of a job to processes of the program."""
