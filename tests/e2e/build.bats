#!/usr/bin/env bats
# Dockerfiles: every instruction and its options, from files to an image that other tools read and run.
# shellcheck disable=SC2034,SC2016 # CLEANUP is for lib; texts for other shells
load lib
load build-lib

@test "instructions of the config" {
	dockerfile <<-'END'
		ARG BASE=busybox:1
		FROM 127.0.0.1:5000/${BASE}
		ARG WORD=default
		ENV A=1 B="two words" C=${WORD}
		ENV D=$A$B
		LABEL one=1 two="2 $WORD"
		EXPOSE 80 90/udp
		VOLUME /data ["/more"]
		USER 12:34
		STOPSIGNAL SIGUSR1
		SHELL ["/bin/sh", "-ec"]
		HEALTHCHECK --interval=5s --timeout=2s --retries=3 CMD test -e /ok
		MAINTAINER somebody
		ENTRYPOINT ["/bin/sh", "-c"]
		CMD ["echo $0", "x"]
		ONBUILD RUN echo later
	END
	sed -i 's|VOLUME .*|VOLUME /data /more|' Dockerfile
	built --build-arg WORD=given --label three=3
	[ "$(config .Env)" = '["PATH=/bin:/usr/bin","A=1","B=two words","C=given","D=1two words"]' ]
	[ "$(config .Labels)" = '{"one":"1","three":"3","two":"2 given"}' ]
	[ "$(config .ExposedPorts)" = '{"80/tcp":{},"90/udp":{}}' ]
	[ "$(config .Volumes)" = '{"/data":{},"/more":{}}' ]
	[ "$(config .User)" = '"12:34"' ]
	[ "$(config .StopSignal)" = '"SIGUSR1"' ]
	[ "$(config .Shell)" = '["/bin/sh","-ec"]' ]
	[ "$(config .Healthcheck)" = '{"Interval":5000000000,"Retries":3,"Test":["CMD-SHELL","test -e /ok"],"Timeout":2000000000}' ]
	[ "$(config .Entrypoint)" = '["/bin/sh","-c"]' ]
	[ "$(config .Cmd)" = '["echo $0","x"]' ]
	[ "$(config .OnBuild)" = '["RUN echo later"]' ]
	has "MaintainerDeprecated"
	stack image history --no-trunc "$P:1" | grep -q 'CMD \["echo'
}

@test "RUN in its forms sees variables, user, folder and arguments" {
	dockerfile <<-'END'
		FROM 127.0.0.1:5000/busybox:1
		ARG WORD=arg
		ENV NAME=env
		RUN echo "$NAME $WORD $HOME $(pwd) $(id -u)" >/one
		RUN ["/bin/sh", "-c", "echo exec $NAME >/two"]
		RUN echo a && \
		    # a comment inside
		    echo b \
		    >/three
		RUN <<EOT
		echo first >/four
		echo second >>/four
		EOT
		RUN <<EOT
		#!/bin/sh
		echo script $0 >/five
		EOT
		WORKDIR /made/here
		RUN pwd >where
		RUN mkdir -m 777 /open
		USER 1000:1000
		RUN id -u >/open/six; id -g >>/open/six
	END
	built
	tree
	[ "$(cat tree/one)" = "env arg /root / 0" ]
	[ "$(cat tree/two)" = "exec env" ]
	[ "$(cat tree/three)" = b ]
	[ "$(cat tree/four)" = "first
second" ]
	grep -q '^script ' tree/five
	[ "$(cat tree/made/here/where)" = /made/here ]
	[ "$(cat tree/open/six)" = "1000
1000" ]
	[ "$(owner_mode open/six)" = "1000:1000 644" ]
	# What RUN is given from outside leaves no trace.
	[ ! -e tree/etc/resolv.conf ]
	[ ! -e tree/proc/self ]
	[ ! -s tree/etc/hosts ]
}

@test "COPY and ADD with every option" {
	mkdir -p src/sub/deep more archive
	echo a >src/a.txt
	echo b >src/sub/b.txt
	echo c >src/sub/deep/c.log
	chmod 750 src/a.txt
	echo x >more/x1
	echo y >more/x2
	echo inside >archive/file
	tar -C archive -cf a.tar file
	tar -C archive -czf a.tar.gz file
	ln -s a.txt src/link
	dockerfile <<-'END'
		FROM 127.0.0.1:5000/busybox:1 AS other
		RUN mkdir /out && echo from >/out/stage && chown 7:8 /out/stage
		FROM 127.0.0.1:5000/busybox:1
		COPY src /plain/
		COPY src/a.txt renamed
		COPY more/x? /glob/
		COPY --chown=5:6 --chmod=640 src/a.txt /owned
		COPY --chown=nobody src/a.txt /named
		COPY --chmod=u=rwX,go=rX src /modes
		COPY --from=other /out /stage
		COPY --from=127.0.0.1:5000/busybox:1 /bin/busybox /image
		COPY --link src/a.txt /linked/a.txt
		COPY --parents src/sub/deep/c.log /parents/
		COPY --exclude=**/*.log --exclude=sub/b.txt src /without/
		COPY <<one <<"two" /here/
		expanded $PATH
		one
		plain $PATH
		two
		ADD a.tar /untar/
		ADD a.tar.gz /ungz/
		COPY a.tar /kept/
		WORKDIR /w
		COPY src/a.txt .
	END
	built
	tree
	[ "$(owner_mode plain/a.txt)" = "0:0 750" ]
	[ -e tree/plain/sub/deep/c.log ]
	[ "$(readlink tree/plain/link)" = a.txt ]
	[ "$(cat tree/renamed)" = a ]
	[ "$(cat tree/glob/x1 tree/glob/x2)" = "x
y" ]
	[ "$(owner_mode owned)" = "5:6 640" ]
	[ "$(stat -c %u tree/named)" = 65534 ]
	[ "$(owner_mode modes/sub)" = "0:0 755" ]
	[ "$(owner_mode modes/sub/b.txt)" = "0:0 644" ]
	[ "$(owner_mode stage/stage)" = "7:8 644" ]
	cmp tree/image tree/bin/busybox
	[ "$(cat tree/linked/a.txt)" = a ]
	[ "$(cat tree/parents/src/sub/deep/c.log)" = c ]
	[ ! -e tree/without/sub/deep/c.log ]
	[ ! -e tree/without/sub/b.txt ]
	[ -e tree/without/a.txt ]
	[ "$(cat tree/here/one)" = "expanded /bin:/usr/bin" ]
	[ "$(cat tree/here/two)" = 'plain $PATH' ]
	[ "$(cat tree/untar/file)$(cat tree/ungz/file)" = insideinside ]
	[ -e tree/kept/a.tar ]
	[ "$(cat tree/w/a.txt)" = a ]
}

@test "ADD of a URL checks the digest; of a repository takes the commit" {
	mkdir www repo
	echo fetched >www/file
	(cd repo && git init -q . && echo tracked >t && git add t && git -c user.name=n -c user.email=e@x commit -qm c)
	busybox httpd -f -p 127.0.0.1:8099 -h www 3>&- &
	CLEANUP="kill $!"
	eventually 5 answers http://127.0.0.1:8099/file
	dockerfile <<-END
		FROM 127.0.0.1:5000/busybox:1
		ADD --checksum=sha256:$(sha256sum <www/file | cut -d' ' -f1) http://127.0.0.1:8099/file /file
		ADD file://$PWD/repo/.git /repo
	END
	built
	tree
	[ "$(cat tree/file)" = fetched ]
	[ "$(owner_mode file)" = "0:0 600" ]
	[ "$(cat tree/repo/t)" = tracked ]
	[ ! -e tree/repo/.git ]
	sed -i 's/sha256:..../sha256:0000/' Dockerfile
	build
	[ "$status" -ne 0 ]
	has "Dockerfile:2"
}

@test "stages: only those needed are run, at once, and copies go between them" {
	dockerfile <<-'END'
		FROM 127.0.0.1:5000/busybox:1 AS base
		RUN echo base >/base
		FROM base AS left
		RUN mkfifo /tmp/x; sleep 0.2; echo left >/left
		FROM base AS right
		RUN sleep 0.2; echo right >/right
		FROM base AS never
		RUN exit 9
		FROM scratch AS joined
		COPY --from=left /left /
		COPY --from=right /right /
		COPY --from=0 /base /
		FROM base AS last
		RUN exit 8
	END
	built --target joined
	tree
	[ "$(cat tree/left tree/right tree/base)" = "left
right
base" ]
	lacks never "exit 9"
	build
	[ "$status" -ne 0 ]
	has "Dockerfile:14: RUN: exit status 8"
	build --target nothing
	[ "$status" -ne 0 ]
	has nothing
}

@test "the cache holds until something that counts changes" {
	mkdir src
	echo 1 >src/a
	echo ignored >src/skip
	echo src/skip >.dockerignore
	dockerfile <<-'END'
		FROM 127.0.0.1:5000/busybox:1
		ARG USED=1
		ARG UNUSED=1
		RUN echo "$USED" >/used
		COPY src /src
		RUN cp /src/a /copy
	END
	built
	[ "$(cached_count)" -eq 0 ]
	touch -d '2001-01-01' src/a
	echo else >src/skip
	built
	[ "$(cached_count)" -eq 3 ]
	echo 2 >src/a
	built
	[ "$(cached_count)" -eq 1 ]
	tree
	[ "$(cat tree/copy)" = 2 ]
	[ ! -e tree/src/skip ]
	chmod 600 src/a
	built
	[ "$(cached_count)" -eq 1 ]
	built --build-arg USED=2
	[ "$(cached_count)" -eq 0 ]
	tree
	[ "$(cat tree/used)" = 2 ]
	built --no-cache
	[ "$(cached_count)" -eq 0 ]
	# Both of equal content: what is after it hits again.
	built
	[ "$(cached_count)" -eq 3 ]
}

@test "mounts of RUN: bind, cache, tmpfs, secret, ssh" {
	mkdir src
	echo bound >src/file
	echo marker-of-a-secret >key
	python3 -c 'import socket,sys,time; s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); time.sleep(60)' agent.sock 3>&- &
	CLEANUP="kill $!"
	eventually 5 test -S agent.sock
	dockerfile <<-'END'
		FROM 127.0.0.1:5000/busybox:1 AS tools
		RUN echo tool >/tool
		FROM 127.0.0.1:5000/busybox:1
		RUN --mount=type=bind,source=src,target=/mnt cat /mnt/file >/one; ! touch /mnt/x
		RUN --mount=type=bind,source=src,target=/mnt,rw echo changed >/mnt/file; cat /mnt/file >/two
		RUN --mount=type=bind,from=tools,source=/tool,target=/t cat /t >/three
		RUN --mount=type=cache,target=/cache echo line >>/cache/f; cat /cache/f >/four
		RUN --mount=type=cache,target=/cache,id=/cache echo line >>/cache/f; cat /cache/f >/five
		RUN --mount=type=cache,target=/filled,from=tools,source=/bin ls /filled/busybox >/filled-list
		RUN --mount=type=tmpfs,target=/scratch,size=1m touch /scratch/x; grep -c ' /scratch tmpfs' /proc/mounts >/six
		RUN --mount=type=secret,id=key cat /run/secrets/key | wc -c >/seven
		RUN --mount=type=secret,id=key,target=/k,mode=0440,uid=3 stat -c '%u %a' /k >/eight
		RUN --mount=type=secret,id=key,env=KEY echo ${#KEY} >/nine
		RUN --mount=type=secret,id=absent test ! -e /run/secrets/absent
		RUN --mount=type=ssh test -S "$SSH_AUTH_SOCK" && echo yes >/ten
	END
	built --secret id=key,src=key --ssh default="$PWD/agent.sock"
	tree
	[ "$(cat tree/one tree/two tree/three)" = "bound
changed
tool" ]
	[ "$(cat src/file)" = bound ]
	[ "$(wc -l <tree/four)" -eq 1 ]
	[ "$(wc -l <tree/five)" -eq 2 ]
	[ "$(cat tree/filled-list)" = /filled/busybox ]
	[ "$(cat tree/six)" = 1 ]
	[ "$(cat tree/seven)" = 19 ]
	[ "$(cat tree/eight)" = "3 440" ]
	[ "$(cat tree/nine)" = 19 ]
	[ "$(cat tree/ten)" = yes ]
	[ ! -e tree/mnt ]
	[ ! -e tree/cache ]
	[ ! -e tree/scratch ]
	[ ! -e tree/run ]
	[ ! -e tree/k ]
	run ! grep -rq marker-of-a-secret "$STACK_ROOT" "$STACK_RUNTIME_ROOT"
	# Another secret is no reason to run again; a required one that is not given is an error.
	echo other >key
	built --secret id=key,src=key --ssh default="$PWD/agent.sock"
	[ "$(cached_count)" -eq 13 ]
	sed -i 's/id=absent/id=absent,required=true/' Dockerfile
	build --secret id=key,src=key --ssh default="$PWD/agent.sock"
	[ "$status" -ne 0 ]
	has "secret absent is required"
}

@test "RUN reaches out over NAT, has no network on request, the host's when allowed" {
	mkdir www
	echo reached >www/file
	busybox httpd -f -p 0.0.0.0:8098 -h www 3>&- &
	CLEANUP="kill $!"
	eventually 5 answers http://127.0.0.1:8098/file
	dockerfile <<-'END'
		FROM 127.0.0.1:5000/busybox:1
		RUN printf 'GET /file HTTP/1.0\r\n\r\n' | nc -w 5 outside 8098 | tail -1 >/one
		RUN --network=none ip -o link | wc -l >/two
		RUN grep -c '1.2.3.4' /etc/hosts >/three
	END
	built --add-host outside:host-gateway --add-host other:1.2.3.4
	tree
	[ "$(cat tree/one)" = reached ]
	[ "$(cat tree/two)" = 1 ]
	[ "$(cat tree/three)" = 1 ]
	dockerfile <<-'END'
		FROM 127.0.0.1:5000/busybox:1
		RUN --network=host printf 'GET /file HTTP/1.0\r\n\r\n' | nc -w 5 127.0.0.1 8098 | tail -1 >/one
	END
	build
	[ "$status" -ne 0 ]
	has "Dockerfile:2" "--allow network.host"
	built --allow network.host
	tree
	[ "$(cat tree/one)" = reached ]
	printf '{"dns":["192.0.2.53"],"dns-search":["example.test"]}' >config.json
	printf 'FROM 127.0.0.1:5000/busybox:1\nRUN cp /etc/resolv.conf /r\n' >Dockerfile
	run stack --config config.json --progress plain image build -t "$P:1" .
	tree
	output=$(cat tree/r)
	has "nameserver 192.0.2.53" "search example.test"
}

@test "rights of RUN: those of a container, all of them when allowed; limits" {
	dockerfile <<-'END'
		FROM 127.0.0.1:5000/busybox:1
		RUN grep CapEff /proc/self/status | cut -f2 >/caps; ! mount -t tmpfs x /mnt 2>/dev/null; ulimit -n >/files; df -k /dev/shm | tail -1 >/shm
	END
	built --ulimit nofile=123:456 --shm-size 8m
	tree
	[ "$(cat tree/caps)" = 00000000a80425fb ]
	[ "$(cat tree/files)" = 123 ]
	grep -q ' 8192 ' tree/shm
	dockerfile <<-'END'
		FROM 127.0.0.1:5000/busybox:1
		RUN --security=insecure mkdir /m && mount -t tmpfs x /m && umount /m && echo all >/rights
	END
	build
	[ "$status" -ne 0 ]
	has "--allow security.insecure"
	built --allow security.insecure
	tree
	[ "$(cat tree/rights)" = all ]
}

@test "ONBUILD of a base runs first in its heir" {
	printf 'FROM 127.0.0.1:5000/busybox:1\nONBUILD COPY in /in\nONBUILD RUN cat /in >/trigger\n' >Dockerfile
	stack image build -q -t onbuild:base . >/dev/null
	echo content >in
	printf 'FROM onbuild:base\nRUN cat /trigger >/after\n' >Dockerfile
	built
	tree
	[ "$(cat tree/after)" = content ]
	[ "$(config .OnBuild)" = null ]
}

@test "contexts: archive and Dockerfile on stdin, file outside, repository, named ones" {
	mkdir ctx other repo
	echo in >ctx/file
	echo named >other/file
	printf 'FROM 127.0.0.1:5000/busybox:1\nCOPY file /file\n' >ctx/Dockerfile
	tar -C ctx -cz . | stack image build -q -t "$P:1" - >/dev/null
	tree
	[ "$(cat tree/file)" = in ]
	printf 'FROM 127.0.0.1:5000/busybox:1\nRUN echo stdin >/file\n' | stack image build -q -t "$P:1" - >/dev/null
	tree
	[ "$(cat tree/file)" = stdin ]
	printf 'FROM 127.0.0.1:5000/busybox:1\nCOPY file /outside\n' >Outside
	stack image build -q -t "$P:1" -f Outside ctx >/dev/null
	tree
	[ "$(cat tree/outside)" = in ]
	stack image build -q -t "$P:1" -f - ctx <Outside >/dev/null
	cp ctx/* repo/
	(cd repo && git init -q -b main . && git add . && git -c user.name=n -c user.email=e@x commit -qm c)
	stack image build -q -t "$P:1" "file://$PWD/repo/.git#main" >/dev/null
	tree
	[ "$(cat tree/file)" = in ]
	printf 'FROM base\nCOPY --from=files file /file\n' >ctx/Dockerfile
	stack image build -q -t "$P:1" --build-context files=other --build-context base=docker-image://127.0.0.1:5000/busybox:1 ctx >/dev/null
	tree
	[ "$(cat tree/file)" = named ]
}

@test "a hostile context leads nowhere else" {
	echo outside >"../outside-$P"
	CLEANUP="rm -f $BATS_TEST_TMPDIR/../outside-$P"
	mkdir ctx
	ln -s "../../outside-$P" ctx/relative
	ln -s "/etc/passwd" ctx/absolute
	ln -s / ctx/root
	mkfifo ctx/fifo
	printf 'FROM scratch\nCOPY . /links/\n' >ctx/Dockerfile
	run timeout 20 stack --progress plain image build -t "$P:1" ctx
	[ "$status" -eq 0 ]
	tree
	[ -L tree/links/absolute ]
	[ -L tree/links/relative ]
	[ -p tree/links/fifo ]
	printf 'FROM scratch\nCOPY relative absolute /links/\n' >ctx/Dockerfile
	run stack --progress plain image build -t "$P:1" ctx
	[ "$status" -ne 0 ]
	has "not found in the context"
	printf 'FROM scratch\nCOPY root/etc/passwd /x\n' >ctx/Dockerfile
	run stack --progress plain image build -t "$P:1" ctx
	[ "$status" -ne 0 ]
	printf 'FROM scratch\nCOPY ../../etc/passwd /x\n' >ctx/Dockerfile
	run stack --progress plain image build -t "$P:1" ctx
	[ "$status" -ne 0 ]
	has "Dockerfile:2" "not found in the context"
	printf 'FROM scratch\nCOPY fifo /x\n' >ctx/Dockerfile
	run timeout 20 stack --progress plain image build -t "$P:1" ctx
	[ "$status" -ne 124 ]
	# A RUN that turns the destination into a link out of the root stays in the root.
	printf 'FROM 127.0.0.1:5000/busybox:1\nRUN ln -s ../../../../../tmp /d\nCOPY Dockerfile /d/planted-%s\n' "$P" >ctx/Dockerfile
	run stack --progress plain image build -t "$P:1" ctx
	[ ! -e "/tmp/planted-$P" ]
}

@test "two builds at a fixed time are the same image, and what was asked for is written" {
	echo x >file
	dockerfile <<-'END'
		FROM 127.0.0.1:5000/busybox:1
		RUN mkdir /d && echo 1 >/d/f
		COPY file /file
		WORKDIR /new
		ENV A=1
	END
	export SOURCE_DATE_EPOCH=1700000000
	one=$(stack image build -q --no-cache --rewrite-timestamp --iidfile id .)
	sleep 1.1
	two=$(stack image build -q --no-cache --rewrite-timestamp -t "$P:1" --metadata-file meta .)
	[ "$one" = "$two" ]
	[ "$(cat id)" = "$one" ]
	[ "$(jq -r '."containerimage.config.digest"' meta)" = "$one" ]
	[[ $(stack image inspect "$P:1" | jq -r '.[0].Created') = 2023-11-14T22:13:20* ]]
	stack image build -q -o type=local,dest=out -o type=tar,dest=flat.tar -o type=oci,dest=oci.tar . >/dev/null
	[ "$(cat out/d/f)" = 1 ]
	tar -tf flat.tar | grep -q '^\(\./\)\?d/f$'
	[ "$(skopeo inspect --format '{{.Created}}' oci-archive:oci.tar)" = "2023-11-14 22:13:20 +0000 UTC" ]
}

@test "other tools read the image, podman runs it" {
	dockerfile <<-'END'
		FROM 127.0.0.1:5000/debian:1
		RUN groupadd -g 777 people && useradd -u 778 -g people -m person && bash -c 'echo ${BASH_VERSINFO[0]} >/version'
		COPY --chown=person:people Dockerfile /home/person/
		USER person
		WORKDIR /home/person
		ENTRYPOINT ["bash", "-c"]
		CMD ["id -un; stat -c %U:%G Dockerfile; cat /version"]
	END
	built
	stack image save --oci -o image.tar "$P:1"
	mkdir layout
	tar -C layout -xf image.tar
	[ "$(skopeo inspect --config oci:layout | jq -r .config.User)" = person ]
	tag=$(jq -r '.manifests[0].annotations."org.opencontainers.image.ref.name" // empty' layout/index.json)
	skopeo copy -q "oci:layout${tag:+:$tag}" oci:plain:x
	umoci unpack --image plain:x bundle >/dev/null
	[ "$(cat bundle/rootfs/version)" -ge 5 ]
	output=$(jq -c .process.user bundle/config.json)
	has '"uid":778' '"gid":777'
	# What docker would build with it gives the same user and owner when it runs.
	command -v podman >/dev/null || skip "podman is not installed"
	CLEANUP="umount $PWD/p/overlay 2>/dev/null; find /sys/fs/cgroup -depth -path '*/libpod_parent*' -type d -exec rmdir {} + 2>/dev/null; true"
	podman=(podman --root "$PWD/p" --runroot "$PWD/pr" --tmpdir "$PWD/pt" --cgroup-manager cgroupfs --storage-driver overlay
		--runtime "$STACK_BUILD/stack-runtime" --events-backend none --log-level error)
	"${podman[@]}" load -q -i image.tar >/dev/null
	run "${podman[@]}" run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=1000:1000 "docker.io/library/$P:1"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = person ]
	[ "${lines[1]}" = person:people ]
	[ "${lines[2]}" -ge 5 ]
}

@test "progress as lines, as JSON, or none; checks without a build" {
	dockerfile <<-'END'
		FROM 127.0.0.1:5000/busybox:1
		RUN echo spoken; echo loud >&2
		CMD echo x
	END
	run stack --progress json image build -t "$P:1" .
	[ "$(jq -s 'map(select(.event == "log")) | map(.text) | sort' <<<"$output" | jq -c .)" = '["loud","spoken"]' ]
	[ "$(jq -rs 'map(select(.event == "image"))[0].tags[0]' <<<"$output")" = "$P:1" ]
	built --no-cache
	has "#2 [2/2] RUN echo spoken" "#2 DONE" spoken loud "Image $P:1  Built" JSONArgsRecommended
	run stack image build -q -t "$P:1" .
	[[ $output =~ ^sha256:[0-9a-f]{64}$ ]]
	run stack image build --check --no-cache .
	[ "$status" -eq 0 ]
	has JSONArgsRecommended
	lacks spoken Built
}

@test "what is predefined, what leaves no trace, what is kept" {
	dockerfile <<-'END'
		ARG TARGETARCH
		FROM 127.0.0.1:5000/busybox:1
		ARG TARGETPLATFORM
		ARG TARGETARCH
		ARG BUILDOS
		RUN echo "$TARGETPLATFORM $TARGETARCH $BUILDOS" >/platform
		RUN echo "$HTTP_PROXY" >/proxy
		VOLUME /data
		RUN mkdir -p /data && echo kept >/data/file
		HEALTHCHECK CMD true
		HEALTHCHECK NONE
		SHELL ["/bin/sh", "-e", "-c"]
		RUN echo "$0 $-" | grep -q e && echo strict >/shell
		USER nobody
		RUN id -un >/tmp/who 2>/dev/null || mkdir -p /dev/shm/x && id -un >/dev/shm/who && cat /dev/shm/who
		RUN --mount=type=cache,target=/c,sharing=locked,mode=0777 touch /c/x
		RUN --mount=type=cache,target=/c,sharing=private,mode=0777,uid=65534 touch /c/y
	END
	built --build-arg HTTP_PROXY=http://proxy.test:1
	tree
	[ "$(cat tree/platform)" = "linux/amd64 amd64 linux" ]
	[ "$(cat tree/proxy)" = http://proxy.test:1 ]
	[ "$(cat tree/data/file)" = kept ]
	[ "$(cat tree/shell)" = strict ]
	[ "$(config .Healthcheck.Test)" = '["NONE"]' ]
	output=$(stack image history --no-trunc "$P:1")
	lacks proxy.test
	# Another proxy is no reason to run again.
	built --build-arg HTTP_PROXY=http://proxy.test:2
	[ "$(cached_count)" -eq 7 ]
	output=$(stack system df --format json)
	has "Build Cache"
}

@test "ADD unpacks what is asked for, keeps a repository's folder, takes other compressions" {
	mkdir www in repo
	echo packed >in/file
	tar -C in -czf www/a.tgz file
	tar -C in -cJf b.tar.xz file
	tar -C in -cjf c.tar.bz2 file
	(cd repo && git init -q . && echo t >t && git add t && git -c user.name=n -c user.email=e@x commit -qm c)
	busybox httpd -f -p 127.0.0.1:8097 -h www 3>&- &
	CLEANUP="kill $!"
	eventually 5 answers http://127.0.0.1:8097/a.tgz
	dockerfile <<-END
		FROM scratch
		ADD http://127.0.0.1:8097/a.tgz /as-file/
		ADD --unpack http://127.0.0.1:8097/a.tgz /unpacked/
		ADD b.tar.xz /xz/
		ADD c.tar.bz2 /bz2/
		ADD --unpack=false c.tar.bz2 /plain/
		ADD --keep-git-dir=true file://$PWD/repo/.git /repo
		ADD --chown=3:4 --chmod=711 b.tar.xz Dockerfile /two/
	END
	built
	tree
	[ -f tree/as-file/a.tgz ]
	[ "$(cat tree/unpacked/file tree/xz/file tree/bz2/file)" = "packed
packed
packed" ]
	[ -f tree/plain/c.tar.bz2 ]
	[ -d tree/repo/.git ]
	[ "$(owner_mode two/Dockerfile)" = "3:4 711" ]
}
