#include "daemon/privs.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "base/str.h"

int
privs_find(struct privs *p, const char *user, struct err *why)
{
	const struct passwd *pw;

	*p = (struct privs){ .change = geteuid() == 0, .uid = geteuid(),
		.gid = getegid() };
	if (!p->change)
		return 0;
	if (user[0] != '\0') {
		pw = getpwnam(user);
	} else {
		pw = getpwnam("postern");
		if (pw == NULL)
			pw = getpwnam("nobody");
	}
	if (pw == NULL)
		return err_text(why, "there is no user \"%s\"",
		    user[0] != '\0' ? user : "postern");
	p->uid = pw->pw_uid;
	p->gid = pw->pw_gid;
	(void)str_copy(p->name, sizeof(p->name), str_c(pw->pw_name));
	if (p->uid == 0)
		p->change = false;
	return 0;
}

int
privs_give(const struct privs *p, const char *path, struct err *why)
{
	struct stat st;

	if (!p->change)
		return 0;
	if (stat(path, &st) != 0)
		return err_errno(why, "%s", path);
	if (st.st_uid != p->uid && chown(path, p->uid, p->gid) != 0)
		return err_errno(why, "giving %s to %s", path, p->name);
	return 0;
}

unsigned
privs_files(unsigned wanted)
{
	struct rlimit r, more;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return 0;
	if (r.rlim_cur >= wanted)
		return (unsigned)r.rlim_cur;
	more.rlim_cur = more.rlim_max = wanted;
	if (r.rlim_max >= wanted)
		more.rlim_max = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &more) != 0) {
		r.rlim_cur = r.rlim_max; /* not allowed: what there is */
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
	(void)getrlimit(RLIMIT_NOFILE, &r);
	return (unsigned)r.rlim_cur;
}

int
privs_drop(const struct privs *p, pid_t master, struct err *why)
{
	if (p->change) {
		if (setgroups(1, &p->gid) != 0 ||
		    setresgid(p->gid, p->gid, p->gid) != 0 ||
		    setresuid(p->uid, p->uid, p->uid) != 0)
			return err_errno(why, "becoming %s", p->name);
		if (setuid(0) == 0)
			return err_text(why, "root could be had back");
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_errno(why, "no_new_privs");
	/* A change of user clears this one, so it comes last. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		return err_errno(why, "pdeathsig");
	if (getppid() != master)
		return err_text(why, "the master is gone");
	/* A core dump of a crash is worth having. */
	(void)prctl(PR_SET_DUMPABLE, 1);
	return 0;
}

void
privs_close_others(const int *keep, unsigned n)
{
	const struct dirent *e;
	uint64_t fd;
	unsigned i;
	DIR *d;

	d = opendir("/proc/self/fd");
	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		if (num_u64(str_c(e->d_name), INT32_MAX, &fd) != 0 ||
		    fd <= 2 || (int)fd == dirfd(d))
			continue;
		for (i = 0; i < n && keep[i] != (int)fd;)
			i++;
		if (i == n)
			(void)close((int)fd);
	}
	(void)closedir(d);
}
