"""Result objects: SEG and SR from a result, never an invalid one."""
