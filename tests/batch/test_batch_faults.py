"""The manual's fault table: each line has a test that provokes the fault."""

from __future__ import annotations

import re

import test_batch_cluster
import test_batch_jobs
import test_batch_restart
import test_batch_run
import test_batch_watch
import test_engine_kernels
from support import ROOT

TESTS = {
    "代码格出错": "a_failing_cell_fails_its_project_alone",
    "代码格不停": "within_two_seconds_of_its_time_no_process_of_a_project_lives",
    "代码格退出了 Python": "a_cell_that_leaves_python_fails_its_project_alone",
    "代码格使程序崩溃": "a_segmentation_fault_is_told_and_not_tried_again",
    "占用内存太多": "a_project_that_takes_too_much_memory_is_ended",
    "项目的计算进程被系统或别人结束":
        "a_killed_process_is_no_fault_of_its_project_which_runs_again",
    "预热进程被结束": "a_lost_warm_parent_is_replaced_and_its_project_runs_again",
    "集群的一个工作进程": "projects_of_a_killed_worker_are_done_elsewhere",
    "集群的调度程序失去联系": "a_lost_scheduler_ends_the_batch_which_can_be_resumed",
    "程序被结束": "a_batch_ended_anywhere_loses_nothing_and_leaves_no_half_file",
    "Ctrl-C": "ctrl_c_ends_a_batch_cleanly_and_the_next_goes_on",
    "同一成果文件夹同时运行两个批次": "a_second_batch_into_the_same_folder_is_refused_and_told",
    "磁盘满": "a_batch_ended_anywhere_loses_nothing_and_leaves_no_half_file",
    "成果文件夹只读": "a_folder_that_cannot_be_written_is_refused_before_anything_runs",
    "汇总表或首页写不成": "a_summary_that_cannot_be_written_is_told_and_no_project_is_lost",
    "数据底稿在核对清单以后被移走": "a_workbook_that_has_vanished_fails_alone_in_a_sentence",
    "数据底稿（或照片": "a_workbook_changed_during_the_run_is_told_and_run_again",
    "报告、汇总表正在": "a_report_held_open_elsewhere_is_written_beside_and_the_result_knows",
    "报告或表格被人工修改过": "a_report_that_a_person_edited_is_never_lost",
    "汇总表、首页被人工修改过": "a_summary_that_a_person_edited_is_kept_aside",
    "项目运行失败": "a_failed_run_leaves_what_was_there_as_it_was",
    "上次有、这次没有的文件":
        "a_file_that_a_run_no_longer_writes_goes_unless_a_person_edited_it",
    "成果路径超过 240 个字符": "paths_too_long_for_word_are_told_before_anything_runs",
    "时钟被改": "nothing_depends_on_the_order_of_clocks",
    "运行记录最后一行不完整": "a_torn_line_in_the_manifest_does_no_harm",
    "运行日志写不进": "a_log_that_cannot_be_written_stops_nothing",
    "清单、编码、参数有错": "every_problem_of_a_list_is_told_at_once_with_its_row",
}  # fmt: skip
MODULES = (
    test_batch_cluster, test_batch_jobs, test_batch_restart, test_batch_run, test_batch_watch,
    test_engine_kernels,
)  # fmt: skip


def test_each_line_of_the_fault_table_has_a_test():
    text = (ROOT / "docs" / "batches.md").read_text(encoding="utf-8")
    table = text.split("## 六、")[1].split("\n## ")[0]
    faults = re.findall(r"^\| ([^|]+?) \|", table, re.MULTILINE)[1:]
    lines = [next((known for known in TESTS if line.startswith(known)), line) for line in faults]
    assert sorted(lines) == sorted(TESTS)
    there = {name for module in MODULES for name in vars(module)}
    assert {f"test_{name}" for name in TESTS.values()} <= there
