/*
 * A shared object that is no plugin.
 */
int bad_none(void);

int
bad_none(void)
{
	return 0;
}
