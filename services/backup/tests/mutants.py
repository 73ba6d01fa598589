"""A fault of the product for every test that `FAULTS.md` names: planted, that test must turn red (`make mutants`).

Each is the smallest change that does the harm its row speaks of: a step left out, a check skipped, a question asked of everybody.
"""

from typing import NamedTuple

STORE, REMOVE, READ = "use_cases/store.py", "use_cases/remove.py", "use_cases/read.py"
SITES, DRILL, WATCH, ALERTS = "use_cases/sites.py", "use_cases/drill.py", "use_cases/watch.py", "use_cases/alerts.py"
ADMIT, OWN, SEED, DISPOSAL = "use_cases/admit.py", "use_cases/own.py", "use_cases/seed.py", "use_cases/disposal.py"
EXCHANGE, PLANE, TURNS = "api/exchange.py", "api/plane.py", "api/turns.py"
FOLDER, SPOOL, BUCKET = "sites/folder.py", "sites/spool.py", "sites/bucket.py"
OBJECTS, QUOTA, RETENTION = "db/objects.py", "domain/quota.py", "domain/retention.py"
PROTOCOL, MODES, POINTS = "domain/protocol.py", "domain/modes.py", "domain/points.py"


class Mutant(NamedTuple):
    """`text`, which is once in `file` (below services/backup, or from the root with a leading slash), becomes `instead`; then each of
    `red` fails: functions that FAULTS.md names, with a parameter's id in brackets where only that one shall run."""

    what: str
    file: str
    text: str
    instead: str
    red: tuple[str, ...]


MUTANTS = [
    # ---- what a 200 promises (1-5, 8-13, 30)
    Mutant(
        "the 200 is said before the bytes have their name and their row",
        EXCHANGE,
        """            await self._in_turn(self._finish, admitted.door, target, upload)
        finally:
            await in_thread(upload.abandon)
        await self._reply(200)
""",
        """            await self._reply(200)
            upload.keep = lambda keep=upload.keep: (keep(), time.sleep(0.5))
            await self._in_turn(self._finish, admitted.door, target, upload)
        finally:
            await in_thread(upload.abandon)
""",
        (
            "test_killed_at_random_moments_nothing_acknowledged_is_lost_and_nothing_half_is_seen[2]",
            "test_killed_before_each_step_an_upload_is_whole_or_absent_and_can_be_sent_again",
            "test_the_order_that_makes_a_200_true_is_the_kernel_s_order",
            "test_killed_while_restic_backs_up_the_backup_goes_on_and_every_byte_comes_back",
        ),
    ),
    Mutant(
        "the file is not synced",
        FOLDER,
        "            os.fsync(self.fd)\n",
        "            pass\n",
        (
            "test_the_order_that_makes_a_200_true_is_the_kernel_s_order",
            "test_a_disk_that_fails_is_refused_told_and_not_tried_again",
            "test_a_failed_fsync_is_a_refusal_and_is_not_tried_again",
        ),
    ),
    Mutant(
        "its folder is not synced",
        FOLDER,
        "            _sync(self._final.parent)\n",
        "",
        (
            "test_the_order_that_makes_a_200_true_is_the_kernel_s_order",
            "test_a_disk_that_fails_is_refused_told_and_not_tried_again",
        ),
    ),
    Mutant(
        "the commit is not synced",
        "/libs/common/db.py",
        "PRAGMA synchronous=FULL",
        "PRAGMA synchronous=OFF",
        ("test_the_order_that_makes_a_200_true_is_the_kernel_s_order",),
    ),
    Mutant(
        "a failed fsync is tried again",
        FOLDER,
        "        except OSError as error:\n            raise translated(error) from error\n        self._final",
        "        except OSError:\n            os.fsync(self.fd)\n        self._final",
        (
            "test_a_disk_that_fails_is_refused_told_and_not_tried_again[of the file]",
            "test_a_failed_fsync_is_a_refusal_and_is_not_tried_again",
        ),
    ),
    Mutant(
        "a disk that fails is told to nobody",
        EXCHANGE,
        'raise_alert(session, repository, "disk", now)',
        "pass",
        ("test_a_disk_that_fails_is_refused_told_and_not_tried_again",),
    ),
    Mutant(
        "files of killed uploads are swept without asking whether somebody still writes",
        SPOOL,
        "        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
        "        pass\n",
        ("test_what_a_killed_upload_leaves_is_swept_and_what_still_runs_is_not",),
    ),
    Mutant(
        "a name that lies there already cannot be given again",
        FOLDER,
        "                self._put_in_place(self._final)\n",
        "                raise\n",
        (
            "test_killed_before_each_step_an_upload_is_whole_or_absent_and_can_be_sent_again",
            "test_a_file_whose_commit_never_came_is_seen_by_nobody_and_can_still_be_sent",
            "test_killed_before_each_step_of_a_disk_the_next_run_takes_in_the_rest_and_nothing_twice[some]",
            "test_two_workers_copying_at_once_copy_each_object_once",
        ),
    ),
    Mutant(
        "what lies there under the name is believed",
        FOLDER,
        "                self._put_in_place(self._final)\n",
        "                pass\n",
        ("test_what_is_acknowledged_lies_there_even_where_its_file_had_rotted_unnoticed",),
    ),
    Mutant(
        "a file without a row becomes an object",
        SITES,
        "        deleted_at=now,\n        keep_until=keep_until(",
        "        deleted_at=None,\n        keep_until=keep_until(",
        (
            "test_a_file_whose_commit_never_came_is_seen_by_nobody_and_can_still_be_sent",
            "test_files_nobody_was_promised_go_after_the_time_of_keeping_and_others_stay",
        ),
    ),
    Mutant(
        "a full disk is a broken one",
        SPOOL,
        "    if error.errno in _NO_SPACE:\n        return SiteFull(str(error))\n",
        "",
        ("test_a_full_disk_is_said_so_and_leaves_nothing_half",),
    ),
    Mutant(
        "an upload that ended leaves its file",
        SPOOL,
        "            self.path.unlink(missing_ok=True)\n",
        "",
        (
            "test_a_full_disk_is_said_so_and_leaves_nothing_half",
            "test_a_body_of_the_wrong_length_leaves_nothing_behind",
            "test_an_upload_that_breaks_off_leaves_nothing",
            "test_bytes_that_are_not_what_their_name_says_are_never_stored",
            "test_the_quota_is_crossed_in_the_middle_of_a_stream",
        ),
    ),
    Mutant(
        "an upload that ended leaves its descriptor",
        SPOOL,
        "            os.close(self.fd)\n            self.fd = -1\n",
        "            self.fd = -1\n",
        (
            "test_a_body_of_the_wrong_length_leaves_nothing_behind",
            "test_the_quota_is_crossed_in_the_middle_of_a_stream",
            "test_thousands_of_small_requests_at_once_leave_no_descriptor_open[1800]",
        ),
    ),
    Mutant(
        "the bytes are not compared with their name",
        SPOOL,
        "        if self.name != key.name:\n",
        "        if False:\n",
        (
            "test_bytes_that_are_not_what_their_name_says_are_never_stored",
            "test_rotten_bytes_are_not_copied",
            "test_a_file_that_suffered_on_the_way_is_named_and_not_taken_in",
            "test_killed_at_random_moments_the_command_for_a_disk_goes_on_and_counts_nothing_unverified[2]",
        ),
    ),
    Mutant(
        "the same bytes again are refused, as rest-server and rclone do",
        STORE,
        """        row.first_state = "ok"
        return
""",
        """        raise Forbidden("exists")
""",
        (
            "test_replies_are_lost_and_an_append_only_backup_still_completes",
            "test_identical_bytes_again_are_accepted_and_counted_once",
            "test_the_same_name_from_five_connections_at_once_is_one_object",
            "test_config_is_written_whole_and_never_overwritten",
        ),
    ),
    Mutant(
        "the same bytes again are counted again",
        STORE,
        """        row.first_state = "ok"
        return
""",
        """        repository.live += upload.size
        return
""",
        (
            "test_identical_bytes_again_are_accepted_and_counted_once",
            "test_the_same_name_from_five_connections_at_once_is_one_object",
        ),
    ),
    Mutant(
        "another config takes the place of the one that is there",
        STORE,
        "        if type_ == CONFIG and objects_db.find_there(",
        "        if False and objects_db.find_there(",
        ("test_config_is_written_whole_and_never_overwritten",),
    ),
    Mutant(
        "uploads share one file on their way",
        SPOOL,
        "self.path = folder / new_id()",
        'self.path = folder / "upload"',
        (
            "test_an_upload_that_breaks_off_beside_a_good_one_of_the_same_name_spoils_nothing",
            "test_two_workers_copying_at_once_copy_each_object_once",
        ),
    ),
    Mutant(
        "who stops in the middle of a body is waited for",
        EXCHANGE,
        "                async with asyncio.timeout(IDLE):\n                    message",
        "                async with asyncio.timeout(None):\n                    message",
        ("test_who_stops_in_the_middle_or_trickles_is_let_go",),
    ),
    Mutant(
        "who trickles is never too slow",
        PROTOCOL,
        "    return seconds > GRACE and received < LEAST_RATE * seconds\n",
        "    return False\n",
        ("test_who_stops_in_the_middle_or_trickles_is_let_go",),
    ),
    Mutant(
        "a range past the end is not clipped",
        "/libs/common/ranges.py",
        "min(size, int(last) + 1) if last else size",
        "int(last) + 1 if last else size",
        ("test_ranges_are_clipped_and_impossible_ones_refused",),
    ),
    Mutant(
        "an empty object has ranges like others",
        "/libs/common/ranges.py",
        'match[0] == "bytes=-" or size == 0:',
        'match[0] == "bytes=-":',
        ("test_an_empty_object_is_an_object", "test_ranges_are_clipped_and_impossible_ones_refused"),
    ),
    Mutant(
        "a body is held whole",
        EXCHANGE,
        "GATHERED = 512 * 1024\n",
        "GATHERED = 1 << 40\n",
        ("test_memory_is_flat_however_large_the_pack",),
    ),
    # ---- whose key opens what (14-16)
    Mutant(
        "a revoked key goes on",
        ADMIT,
        "key.revoked_at is not None or ",
        "",
        (
            "test_a_key_that_was_not_made_for_it_is_told_the_same_whatever_is_there[revoked]",
            "test_a_key_that_was_not_made_for_it_sees_nothing[sqlite-revoked]",
            "test_the_past_is_read_and_never_written[revoked]",
            "test_a_key_revoked_while_it_uploads_brings_nothing_in",
            "test_a_revoked_key_reads_no_longer_than_a_moment_and_writes_nothing_at_all",
        ),
    ),
    Mutant(
        "an expired key goes on",
        ADMIT,
        "key.expires_at <= now or ",
        "",
        (
            "test_a_key_that_was_not_made_for_it_is_told_the_same_whatever_is_there[expired]",
            "test_a_key_that_was_not_made_for_it_sees_nothing[sqlite-expired]",
        ),
    ),
    Mutant(
        "a repository that was disposed of can be opened",
        ADMIT,
        " or repository.disposed_at is not None\n",
        "\n",
        ("test_a_key_that_was_not_made_for_it_is_told_the_same_whatever_is_there[disposed of]",),
    ),
    Mutant(
        "a key opens every repository of its municipality",
        ADMIT,
        "repository.name != repository_name or ",
        "",
        (
            "test_a_key_that_was_not_made_for_it_is_told_the_same_whatever_is_there[another repository's]",
            "test_a_key_that_was_not_made_for_it_sees_nothing[sqlite-another repository's]",
        ),
    ),
    Mutant(
        "the token's scope is not asked for",
        ADMIT,
        " or not actor.has(scope_of(mode)):",
        ":",
        ("test_a_key_that_was_not_made_for_it_is_told_the_same_whatever_is_there[wrong scope]",),
    ),
    Mutant(
        "another municipality's path is not told from one's own",
        "/libs/common/access.py",
        "if code is not None and actor.code != code:",
        "if False:",
        ("test_a_key_that_was_not_made_for_it_is_told_the_same_whatever_is_there[another town's]",),
    ),
    Mutant(
        "who has no key is a machine that nobody knows",
        "/libs/common/access.py",
        '        raise NotSignedIn(say("サインインしてください。"))\n    return request',
        '        return Actor("machine", "-", code=request.path_params.get("code"))\n    return request',
        ("test_without_a_key_nothing_is_said",),
    ),
    Mutant(
        "the past can be written",
        PLANE,
        'case (("POST" | "DELETE"), _) if self._as_of:',
        'case (("POST" | "DELETE"), _) if False:',
        ("test_the_past_is_read_and_never_written[full]",),
    ),
    Mutant(
        "the room's state is not asked for",
        ADMIT,
        "    if room_state != OPEN:\n",
        "    if False:\n",
        ("test_in_a_room_that_is_not_in_use_no_key_does_anything",),
    ),
    Mutant(
        "whose key it is is not asked again at the end of an upload",
        EXCHANGE,
        "            door = self._admit(session, to_change=True)  # a key revoked meanwhile brings nothing in any more\n",
        "",
        ("test_a_key_revoked_while_it_uploads_brings_nothing_in",),
    ),
    Mutant(
        "a key that was good once is believed for ever",
        "/libs/common/remembered.py",
        "found is not None and found[0] > self._clock()",
        "found is not None",
        ("test_a_revoked_key_reads_no_longer_than_a_moment_and_writes_nothing_at_all",),
    ),
    Mutant(
        "a name is what begins like one",
        PROTOCOL,
        "if _NAME.fullmatch(name) else None",
        "if _NAME.match(name) else None",
        ("test_only_the_protocol_s_own_paths_mean_something",),
    ),
    Mutant(
        "a path that means nothing is taken for a listing",
        PROTOCOL,
        "    if type_ not in TYPES or not slash:\n        return None\n",
        '    if type_ not in TYPES or not slash:\n        return Target("list", "data")\n',
        (
            "test_only_the_protocol_s_own_paths_mean_something",
            "test_nothing_outside_the_store_can_be_named",
        ),
    ),
    Mutant(
        "a repository may be called like a type",
        PROTOCOL,
        " and name not in (*TYPES, CONFIG)",
        "",
        ("test_a_repository_cannot_be_called_like_a_part_of_the_protocol",),
    ),
    Mutant(
        "links are followed",
        FOLDER,
        " | os.O_NOFOLLOW",
        "",
        ("test_a_file_spoiled_behind_our_back_is_read_from_the_other_site[a link to another file]",),
    ),
    Mutant(
        "append-only keys delete",
        MODES,
        'return mode == "full" or (mode == "append" and type_ == "locks")',
        'return mode in ("full", "append")',
        (
            "test_a_key_may_what_its_mode_says[append]",
            "test_an_append_only_key_deletes_and_overwrites_nothing_but_locks",
        ),
    ),
    # ---- what was deleted (17, 18, 20, 26, 38)
    Mutant(
        "what was deleted is purged at once",
        RETENTION,
        "    return max(now, trusted_now) + timedelta(days=days)\n",
        "    return now\n",
        (
            "test_bytes_go_only_after_the_time_of_keeping_and_then_from_both_sites",
            "test_trusted_time_never_hurries_and_never_goes_back",
            "test_two_people_and_the_time_of_keeping_make_it_go_from_both_sites",
        ),
    ),
    Mutant(
        "the time of keeping is not looked at",
        OBJECTS,
        "where(ObjectRow.deleted_at.is_not(None), ObjectRow.keep_until <= trusted_now)",
        "where(ObjectRow.deleted_at.is_not(None))",
        ("test_bytes_go_only_after_the_time_of_keeping_and_then_from_both_sites",),
    ),
    Mutant(
        "what is purged stays at the second site",
        SITES,
        "            for site in places.sites:\n                site.remove(key_of(row))\n",
        "            places.first.remove(key_of(row))\n",
        ("test_bytes_go_only_after_the_time_of_keeping_and_then_from_both_sites",),
    ),
    Mutant(
        "the time of keeping can be shortened",
        RETENTION,
        "    if present is not None and days < present:\n",
        "    if False:\n",
        ("test_nobody_can_shorten_the_time_of_keeping",),
    ),
    Mutant(
        "who asked may agree",
        "domain/disposal.py",
        "    if asked_by == agreed_by:\n",
        "    if False:\n",
        ("test_two_people_and_the_time_of_keeping_make_it_go_from_both_sites",),
    ),
    Mutant(
        "no copy is locked",
        BUCKET,
        "            self._lock.hold(self.path(key), until)\n",
        "            pass\n",
        ("test_where_the_bucket_locks_not_even_its_key_removes_a_copy_and_it_is_brought_back",),
    ),
    Mutant(
        "a locked copy is not looked for among the versions",
        SITES,
        "            site.bring_back(key_of(row))\n",
        "            pass\n",
        ("test_where_the_bucket_locks_not_even_its_key_removes_a_copy_and_it_is_brought_back",),
    ),
    Mutant(
        "the past shows only what is still there",
        OBJECTS,
        "or_(ObjectRow.deleted_at.is_(None), ObjectRow.deleted_at > at)",
        "ObjectRow.deleted_at.is_(None)",
        ("test_everything_deleted_comes_back_from_a_moment_before",),
    ),
    Mutant(
        "the clock is believed, however far it jumps",
        RETENTION,
        "    step = min(max(now - seen, timedelta(0)), LONGEST_STEP)\n",
        "    step = now - seen\n",
        (
            "test_a_clock_that_jumps_ahead_purges_nothing",
            "test_trusted_time_never_hurries_and_never_goes_back",
        ),
    ),
    Mutant(
        "an alert that a point is late ends with the clock",
        WATCH,
        '            new += raise_alert(session, repository, "overdue", now)\n',
        """            new += raise_alert(session, repository, "overdue", now)
        else:
            clear_alert(session, repository, "overdue", now)
""",
        ("test_a_clock_that_jumps_a_day_and_back_raises_one_alarm_and_no_flapping",),
    ),
    Mutant(
        "locks are not listed",
        READ,
        "        return list(db.names(session, door.repository_id, type_, at))\n",
        '        return [] if type_ == "locks" else list(db.names(session, door.repository_id, type_, at))\n',
        ("test_restic_prunes_while_restic_backs_up",),
    ),
    Mutant(
        "files are purged when the lock has been given back",
        SITES,
        """            for site in places.sites:
                site.remove(key_of(row))
            for counted in (repository, allowance):
                counted.held -= row.size
            session.delete(row)
        return len(rows)
""",
        """            for counted in (repository, allowance):
                counted.held -= row.size
            session.delete(row)
        keys = [key_of(row) for row in rows]
    for key in keys:
        for site in places.sites:
            site.remove(key)
    return len(keys)
""",
        ("test_bytes_that_are_brought_again_while_they_are_purged_are_there",),
    ),
    Mutant(
        "a repository without its config or its keys is no alarm",
        REMOVE,
        "        if not objects_db.can_be_opened(session, repository.id):\n",
        "        if False:\n",
        ("test_without_its_config_or_its_last_key_nobody_opens_a_repository_and_that_is_told_at_once",),
    ),
    Mutant(
        "another config or key counts as the one of before",
        STORE,
        "objects_db.can_be_opened(session, repository.id, since=alert.raised_at)",
        "objects_db.can_be_opened(session, repository.id)",
        ("test_without_its_config_or_its_last_key_nobody_opens_a_repository_and_that_is_told_at_once",),
    ),
    Mutant(
        "every key that goes is the last",
        REMOVE,
        "        if not objects_db.can_be_opened(session, repository.id):\n",
        "        if True:\n",
        ("test_a_password_that_is_changed_leaves_a_key_and_raises_nothing",),
    ),
    # ---- the quota (19, 37)
    Mutant(
        "what is too large is refused only at its end",
        EXCHANGE,
        "        if length > most:\n            raise store.full()\n",
        "",
        ("test_what_does_not_fit_is_not_written_first",),
    ),
    Mutant(
        "a stream is not counted on its way",
        EXCHANGE,
        "            if total > most:\n",
        "            if False:\n",
        ("test_what_does_not_fit_is_not_written_first",),
    ),
    Mutant(
        "the quota is not asked again at the commit",
        STORE,
        "        if upload.size > min(left(",
        "        if False and upload.size > min(left(",
        ("test_many_uploads_at_once_never_go_over_the_quota",),
    ),
    Mutant(
        "too much is a broken disk",
        STORE,
        "    status: ClassVar[int] = 507\n",
        "    status: ClassVar[int] = 500\n",
        ("test_the_quota_is_crossed_in_the_middle_of_a_stream",),
    ),
    Mutant(
        "there is no reserve",
        QUOTA,
        "    extra = reserve(allowance.quota)\n",
        "    extra = 0\n",
        (
            "test_a_full_repository_is_listed_cleared_and_used_again_by_restic",
            "test_what_each_kind_of_object_may_still_use",
        ),
    ),
    Mutant(
        "deleted bytes have no ceiling",
        QUOTA,
        "    return min(limit - allowance.live, ceiling - allowance.held)\n",
        "    return limit - allowance.live\n",
        ("test_what_each_kind_of_object_may_still_use",),
    ),
    # ---- two sites (6, 7, 21-23, 28, 29, 33, 41, 44)
    Mutant(
        "the check believes what it reads",
        SITES,
        '    return ("ok" if digest == row.name else "damaged"), size\n',
        '    return "ok", size\n',
        (
            "test_every_flipped_bit_is_found_mended_and_told",
            "test_one_file_of_each_type_spoiled_behind_our_back_is_mended",
            "test_without_the_key_every_byte_is_read_again_and_the_evidence_says_so",
        ),
    ),
    Mutant(
        "damage that was mended is not told",
        SITES,
        '    outbox.add(session, event, subject=row.repository_id, now=now)\n    actor = Actor(kind="service"',
        '    actor = Actor(kind="service"',
        ("test_every_flipped_bit_is_found_mended_and_told",),
    ),
    Mutant(
        "what is known to be damaged is given out",
        READ,
        "    if row.first_state not in db.BROKEN:\n",
        "    if True:\n",
        ("test_bytes_known_to_be_bad_are_never_given_out",),
    ),
    Mutant(
        "a file of another length is given out",
        READ,
        "        if reader.size == found.size:\n",
        "        if True:\n",
        ("test_a_file_spoiled_behind_our_back_is_read_from_the_other_site",),
    ),
    Mutant(
        "files without a row are removed at once",
        SITES,
        "        if size is None:\n            site.remove(key)\n",
        "        if True:\n            site.remove(key)\n",
        (
            "test_files_nobody_was_promised_go_after_the_time_of_keeping_and_others_stay",
            "test_what_arrived_after_the_database_was_copied_is_there_again",
        ),
    ),
    Mutant(
        "nothing is read from the second site",
        READ,
        "        sites.append(held.second)\n",
        "        pass\n",
        (
            "test_the_first_site_burns_and_restic_restores_from_the_second",
            "test_while_the_first_site_is_lost_everything_is_read_and_only_locks_are_written",
        ),
    ),
    Mutant(
        "locks go to the first site only",
        EXCHANGE,
        "        return places.second if target.type == objects.LOCKS and not places.first.up else places.first\n",
        "        return places.first\n",
        ("test_while_the_first_site_is_lost_everything_is_read_and_only_locks_are_written",),
    ),
    Mutant(
        "what lay at a second site that was lost still counts as copied",
        OBJECTS,
        'else {"copied_at": None}',
        'else {"second_state": "ok"}',
        ("test_the_second_site_is_lost_and_filled_again_and_is_not_counted_as_safe_meanwhile",),
    ),
    Mutant(
        "a first site that was lost still counts as full",
        OBJECTS,
        '{f"{site}_state": "missing"} if',
        '{f"{site}_state": "ok"} if',
        ("test_a_lost_site_is_filled_again_from_the_other",),
    ),
    Mutant(
        "what has gone at one site is removed at the other",
        SITES,
        "    result.damaged += 1\n",
        """    result.damaged += 1
    if state == "missing":
        held(service).other(site).remove(key_of(row))
""",
        ("test_whoever_empties_the_first_site_does_not_empty_the_second",),
    ),
    Mutant(
        "one file that cannot be read ends the copying",
        SITES,
        "        _note_broken(service, places, tenant, row, error)\n        return False\n",
        "        raise error\n",
        (
            "test_one_file_the_disk_cannot_read_keeps_no_other_from_being_copied",
            "test_a_second_site_that_takes_nothing_more_ends_no_timer_and_is_tried_again[SiteBroken]",
        ),
    ),
    Mutant(
        "a second site that is full ends the timer",
        SITES,
        "    except (SiteDown, SiteFull) as error:  # it went away",
        "    except SiteDown as error:  # it went away",
        ("test_a_second_site_that_takes_nothing_more_ends_no_timer_and_is_tried_again[SiteFull]",),
    ),
    Mutant(
        "what no site has is told to nobody",
        SITES,
        "                _note_lost(service, tenant, row, site)\n",
        "                pass\n",
        ("test_what_was_lost_before_it_was_copied_is_told_once_until_its_machine_brings_it_again",),
    ),
    Mutant(
        "a second site that lags is told to nobody",
        WATCH,
        "        if oldest is not None and now - oldest > LONGEST_LAG:\n",
        "        if False:\n",
        ("test_a_second_site_that_is_a_day_behind_is_told_once_and_the_alert_ends_with_the_copy",),
    ),
    Mutant(
        "what is found only at the second site is said to be at the first",
        SITES,
        'first_state="ok" if at_first else "missing"',
        'first_state="ok"',
        ("test_what_arrived_after_the_database_was_copied_is_there_again[second]",),
    ),
    Mutant(
        "what was not copied is listed while the first site is away",
        READ,
        '    if (at is None and may_delete(door.mode, "data")) or held.first.up:\n',
        "    if True:\n",
        ("test_the_first_site_burns_in_the_middle_of_a_backup_and_the_one_before_is_restored[append]",),
    ),
    Mutant(
        "who can delete sees only what was copied while the first site is away",
        READ,
        '    if (at is None and may_delete(door.mode, "data")) or held.first.up:\n',
        "    if held.first.up:\n",
        ("test_whoever_can_delete_sees_all_there_is_while_the_first_site_is_away",),
    ),
    Mutant(
        "what no site has is listed",
        OBJECTS,
        "there(at), ~_lost()\n",
        "there(at)\n",
        (
            "test_bytes_known_to_be_bad_are_never_given_out",
            "test_the_first_site_is_replaced_and_the_machine_goes_on_where_the_second_had_come",
        ),
    ),
    Mutant(
        "the desk is not told which site is away",
        "api/shell.py",
        " if not site.up)",
        " if False)",
        ("test_staff_are_told_in_their_language_of_a_site_that_is_away_and_why_they_are_refused",),
    ),
    # ---- what must be told (24, 31, 42)
    Mutant(
        "a point is never late",
        POINTS,
        "    if now - (last_point_at or created_at) > timedelta(hours=promised_hours):\n",
        "    if False:\n",
        (
            "test_a_town_whose_backups_stop_is_told_once_and_the_alert_ends_with_the_next",
            "test_what_fails_is_tried_again_and_that_nothing_arrives_is_told_of",
        ),
    ),
    Mutant(
        "the same alert is raised again and again",
        ALERTS,
        "    if db.open_alert(session, repository.id, kind) is not None:\n        return False\n",
        "",
        (
            "test_a_town_whose_backups_stop_is_told_once_and_the_alert_ends_with_the_next",
            "test_a_clock_that_jumps_a_day_and_back_raises_one_alarm_and_no_flapping",
            "test_a_second_site_that_is_a_day_behind_is_told_once_and_the_alert_ends_with_the_copy",
        ),
    ),
    Mutant(
        "a watch that has stopped is not seen",
        WATCH,
        "    return seen is not None and now - seen > SILENT\n",
        "    return False\n",
        ("test_a_watch_that_has_stopped_is_seen_on_every_page_and_from_outside",),
    ),
    Mutant(
        "an alarm that somebody has looked into stays open",
        ALERTS,
        "        alert.cleared_at = now\n        audit.record(",
        "        audit.record(",
        ("test_most_deleted_once_more_is_told_once_more_after_somebody_has_looked",),
    ),
    Mutant(
        "a key's end is no alarm",
        WATCH,
        "    return made_to_stay and all(",
        "    return False and all(",
        ("test_a_key_is_told_of_two_weeks_before_it_ends_until_its_machine_has_another",),
    ),
    Mutant(
        "the end of a key of a moment is an alarm",
        WATCH,
        "    return made_to_stay and all(",
        "    return all(",
        ("test_a_key_that_was_made_for_a_moment_or_revoked_ends_without_a_word",),
    ),
    # ---- drills (25, 32, 40)
    Mutant(
        "a restore with problems has passed",
        DRILL,
        "        _count(target, result)\n        result.passed = not result.problems\n",
        "        _count(target, result)\n        result.passed = True\n",
        (
            "test_damage_makes_the_drill_fail_and_raises_the_alarm",
            "test_a_deposited_password_that_is_wrong_is_said_so",
        ),
    ),
    Mutant(
        "evidence does not hold the hash of the one before",
        DRILL,
        '        evidence["previous_sha256"] = _previous(session, drill)\n',
        '        evidence["previous_sha256"] = None\n',
        ("test_without_the_key_every_byte_is_read_again_and_the_evidence_says_so",),
    ),
    Mutant(
        "the number of files is not signed",
        "use_cases/evidence.py",
        "    return json.dumps(evidence, ensure_ascii",
        '    return json.dumps({k: v for k, v in evidence.items() if k != "files"}, ensure_ascii',
        ("test_changed_evidence_is_found_with_openssl_alone",),
    ),
    Mutant(
        "a drill whose process died goes on for ever",
        "worker.py",
        "        drill.end_broken_off(service, tenant)\n",
        "",
        ("test_a_drill_whose_process_always_dies_has_failed_and_another_can_begin",),
    ),
    Mutant(
        "what a killed drill restored is not cleared away",
        DRILL,
        "        return result\n    finally:\n        _clear_away(service, drill_id)\n",
        "        return result\n    finally:\n        pass\n",
        ("test_what_a_killed_drill_restored_does_not_stay_on_the_disk",),
    ),
    Mutant(
        "a site that is away makes a drill fail",
        "worker.py",
        "    except SiteDown as away:\n        raise Later(300) from away\n",
        "    except SiteDown:\n        raise\n",
        ("test_a_site_that_is_away_makes_a_drill_wait_and_not_fail",),
    ),
    Mutant(
        "a wrong password is some failure of restic",
        DRILL,
        '    if "wrong password" in done.stderr:\n',
        "    if False:\n",
        ("test_a_deposited_password_that_is_wrong_is_said_so",),
    ),
    Mutant(
        "long jobs are done in the loop of the timers",
        "/libs/common/jobs/registry.py",
        "if long is None or kind.long == long}",
        "if long is not True}",
        ("test_a_job_of_hours_keeps_no_timer_of_its_worker_waiting",),
    ),
    # ---- fair share, leaving, the disk, ourselves (27, 34-36, 39, 43)
    Mutant(
        "files that were sent stay open",
        EXCHANGE,
        "            asyncio.get_running_loop().call_later(FRESH * 1.5, self._memory.readers.sweep)\n",
        "",
        ("test_thousands_of_small_requests_at_once_leave_no_descriptor_open[1800]",),
    ),
    Mutant(
        "who has waited longest stays at the head of the circle",
        TURNS,
        "            del self._waiting[tenant]\n            if queue:\n                self._waiting[tenant] = queue\n",
        "            if not queue:\n                del self._waiting[tenant]\n",
        ("test_a_thousand_small_uploads_of_a_city_hold_a_town_up_for_one",),
    ),
    Mutant(
        "a municipality leaves though a site is away",
        "rooms/room.py",
        "            raise Later(SITE_AWAY)\n",
        "            pass\n",
        ("test_a_municipality_that_leaves_is_not_kept_by_a_site_that_was_away",),
    ),
    Mutant(
        "a file that cannot be deleted is passed over",
        FOLDER,
        "            shutil.rmtree(self.root / tenant)\n",
        "            shutil.rmtree(self.root / tenant, ignore_errors=True)\n",
        ("test_files_that_cannot_be_deleted_are_not_said_to_be_deleted",),
    ),
    Mutant(
        "what speaks of a file that suffered does not wait for it",
        SEED,
        "        if result.refused and target.type in _PROMISING:\n",
        "        if False:\n",
        (
            "test_a_file_that_suffered_on_the_way_is_named_and_not_taken_in",
            "test_killed_at_random_moments_the_command_for_a_disk_goes_on_and_counts_nothing_unverified[2]",
        ),
    ),
    Mutant(
        "snapshots of a disk are taken in before what they need",
        SEED,
        '_ORDER = ("config", "keys", "data", "index", "snapshots")\n',
        '_ORDER = ("config", "keys", "snapshots", "data", "index")\n',
        ("test_killed_before_each_step_of_a_disk_the_next_run_takes_in_the_rest_and_nothing_twice[some]",),
    ),
    Mutant(
        "the password of our own backup is not deposited",
        OWN,
        "        deposit.deposit(session, _ACTOR, held(service).vault_key, row.id, password, now)\n",
        "",
        ("test_a_key_and_a_password_are_made_and_the_copy_comes_back_in_a_drill",),
    ),
    Mutant(
        "our own key is not renewed",
        OWN,
        "ends - service.clock.now() < RENEW",
        "ends < service.clock.now()",
        ("test_its_key_is_renewed_before_it_ends_and_the_password_stays",),
    ),
    Mutant(
        "our own backup that failed waits for the next night",
        "worker.py",
        "        raise Later(AGAIN)\n",
        "        return\n",
        ("test_what_fails_is_tried_again_and_that_nothing_arrives_is_told_of",),
    ),
    Mutant(
        "what was gathered is sent though a service gave nothing",
        "/services/own_backup.py",
        "    if kept != names:\n",
        "    if False:\n",
        ("test_what_each_service_gives_with_its_own_secrets_is_sent_only_when_all_is_there",),
    ),
    Mutant(
        "what could not be sent waits for the next night",
        "/services/own_backup.py",
        "            wait(PAUSE)\n",
        "            raise\n",
        ("test_what_was_gathered_is_sent_the_same_night_when_the_first_site_comes_back",),
    ),
]
