"""How git is called: as nobody in particular, and without the settings of this machine."""
IDENTITY = ["-c", "user.name=A U Thor", "-c", "user.email=author@example.test", "-c", "init.defaultBranch=main",
            "-c", "commit.gpgSign=false", "-c", "gc.auto=0"]
HERMETIC = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0"}
