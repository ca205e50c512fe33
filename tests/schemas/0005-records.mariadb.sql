/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET @OLD_CHARACTER_SET_RESULTS=@@CHARACTER_SET_RESULTS */;
/*!40101 SET @OLD_COLLATION_CONNECTION=@@COLLATION_CONNECTION */;
/*!40101 SET NAMES utf8mb4 */;
/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;
DROP TABLE IF EXISTS `announcement`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `announcement` (
  `id` int(11) NOT NULL,
  `text` longtext NOT NULL,
  `until` bigint(20) DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `announcement` DISABLE KEYS */;
INSERT INTO `announcement` VALUES (1,'Back at noon.',1770091506789012);
/*!40000 ALTER TABLE `announcement` ENABLE KEYS */;
DROP TABLE IF EXISTS `attempts`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `attempts` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  `address` varchar(255) NOT NULL,
  `at` bigint(20) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `attempts_at` (`at`),
  KEY `attempts_address_at` (`address`,`at`),
  KEY `attempts_name_address` (`name`,`address`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `attempts` DISABLE KEYS */;
INSERT INTO `attempts` VALUES (1,'alice','192.0.2.1',1767323045678901);
/*!40000 ALTER TABLE `attempts` ENABLE KEYS */;
DROP TABLE IF EXISTS `audit`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `audit` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `at` bigint(20) NOT NULL,
  `actor` varchar(255) NOT NULL,
  `action` varchar(255) NOT NULL,
  `target` varchar(255) NOT NULL,
  `address` varchar(255) NOT NULL,
  `detail` longtext NOT NULL,
  `before` longtext DEFAULT NULL,
  `after` longtext DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `audit_at` (`at`),
  KEY `audit_actor` (`actor`),
  KEY `audit_action` (`action`),
  KEY `audit_target` (`target`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `audit` DISABLE KEYS */;
INSERT INTO `audit` VALUES (1,1767323045678901,'cli:root','user-create','alice','','virtual',NULL,NULL);
INSERT INTO `audit` VALUES (2,1770091506789012,'admin','policy-edit','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','192.0.2.2','','{\"pids\":64}','{\"pids\":32}');
/*!40000 ALTER TABLE `audit` ENABLE KEYS */;
/*!50003 SET @saved_cs_client      = @@character_set_client */ ;
/*!50003 SET @saved_cs_results     = @@character_set_results */ ;
/*!50003 SET @saved_col_connection = @@collation_connection */ ;
/*!50003 SET character_set_client  = utf8mb4 */ ;
/*!50003 SET character_set_results = utf8mb4 */ ;
/*!50003 SET collation_connection  = utf8mb4_general_ci */ ;
/*!50003 SET @saved_sql_mode       = @@sql_mode */ ;
/*!50003 SET sql_mode              = 'PIPES_AS_CONCAT,STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION' */ ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER audit_no_update BEFORE UPDATE ON audit FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the audit log is append-only' 
*/;;
DELIMITER ;
/*!50003 SET sql_mode              = @saved_sql_mode */ ;
/*!50003 SET character_set_client  = @saved_cs_client */ ;
/*!50003 SET character_set_results = @saved_cs_results */ ;
/*!50003 SET collation_connection  = @saved_col_connection */ ;
/*!50003 SET @saved_cs_client      = @@character_set_client */ ;
/*!50003 SET @saved_cs_results     = @@character_set_results */ ;
/*!50003 SET @saved_col_connection = @@collation_connection */ ;
/*!50003 SET character_set_client  = utf8mb4 */ ;
/*!50003 SET character_set_results = utf8mb4 */ ;
/*!50003 SET collation_connection  = utf8mb4_general_ci */ ;
/*!50003 SET @saved_sql_mode       = @@sql_mode */ ;
/*!50003 SET sql_mode              = 'PIPES_AS_CONCAT,STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION' */ ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER audit_no_delete BEFORE DELETE ON audit FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the audit log is append-only' 
*/;;
DELIMITER ;
/*!50003 SET sql_mode              = @saved_sql_mode */ ;
/*!50003 SET character_set_client  = @saved_cs_client */ ;
/*!50003 SET character_set_results = @saved_cs_results */ ;
/*!50003 SET collation_connection  = @saved_col_connection */ ;
DROP TABLE IF EXISTS `changes`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `changes` (
  `id` int(11) NOT NULL,
  `writes` bigint(20) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `changes` DISABLE KEYS */;
INSERT INTO `changes` VALUES (1,12);
/*!40000 ALTER TABLE `changes` ENABLE KEYS */;
DROP TABLE IF EXISTS `cursors`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `cursors` (
  `name` varchar(255) NOT NULL,
  `value` bigint(20) NOT NULL,
  PRIMARY KEY (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `cursors` DISABLE KEYS */;
INSERT INTO `cursors` VALUES ('address',5);
/*!40000 ALTER TABLE `cursors` ENABLE KEYS */;
DROP TABLE IF EXISTS `home_tasks`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `home_tasks` (
  `volume` varchar(255) NOT NULL,
  `user` varchar(255) NOT NULL,
  `action` varchar(255) NOT NULL,
  `by` varchar(255) NOT NULL,
  `at` bigint(20) NOT NULL,
  PRIMARY KEY (`volume`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `home_tasks` DISABLE KEYS */;
INSERT INTO `home_tasks` VALUES ('remoteapp-home-70009','carol','archive','admin',1770091506789012);
/*!40000 ALTER TABLE `home_tasks` ENABLE KEYS */;
DROP TABLE IF EXISTS `kept_running`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `kept_running` (
  `key` varchar(255) NOT NULL,
  PRIMARY KEY (`key`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `kept_running` DISABLE KEYS */;
INSERT INTO `kept_running` VALUES ('user:bob');
/*!40000 ALTER TABLE `kept_running` ENABLE KEYS */;
DROP TABLE IF EXISTS `last_starts`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `last_starts` (
  `owner` varchar(255) NOT NULL,
  `grant_id` varchar(32) NOT NULL,
  `at` bigint(20) NOT NULL,
  `options` longtext NOT NULL,
  PRIMARY KEY (`owner`,`grant_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `last_starts` DISABLE KEYS */;
INSERT INTO `last_starts` VALUES ('alice','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',1770091506789012,'{\"resolution\":\"window\"}');
/*!40000 ALTER TABLE `last_starts` ENABLE KEYS */;
DROP TABLE IF EXISTS `links`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `links` (
  `issuer` varchar(255) NOT NULL,
  `subject` varchar(255) NOT NULL,
  `user` varchar(255) NOT NULL,
  PRIMARY KEY (`issuer`,`subject`),
  KEY `links_user` (`user`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `links` DISABLE KEYS */;
INSERT INTO `links` VALUES ('https://accounts.example.org','4711','alice');
/*!40000 ALTER TABLE `links` ENABLE KEYS */;
DROP TABLE IF EXISTS `passwords`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `passwords` (
  `user` varchar(255) NOT NULL,
  `digest` varchar(255) NOT NULL,
  PRIMARY KEY (`user`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `passwords` DISABLE KEYS */;
INSERT INTO `passwords` VALUES ('alice','$argon2id$kept');
/*!40000 ALTER TABLE `passwords` ENABLE KEYS */;
DROP TABLE IF EXISTS `records_migrations`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `records_migrations` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  `migrated_at` datetime NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `records_migrations` DISABLE KEYS */;
INSERT INTO `records_migrations` VALUES (1,'001_first','2026-01-01 00:00:00');
INSERT INTO `records_migrations` VALUES (2,'002_ledgers','2026-02-01 00:00:00');
INSERT INTO `records_migrations` VALUES (3,'003_images','2026-11-23 02:58:16');
INSERT INTO `records_migrations` VALUES (4,'004_starts','2026-11-23 13:23:34');
INSERT INTO `records_migrations` VALUES (5,'005_shares','2026-11-23 17:05:41');
/*!40000 ALTER TABLE `records_migrations` ENABLE KEYS */;
DROP TABLE IF EXISTS `sessions`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `sessions` (
  `id` varchar(32) NOT NULL,
  `owner` varchar(255) NOT NULL,
  `grant_id` varchar(32) NOT NULL,
  `application` varchar(255) NOT NULL,
  `image` varchar(255) NOT NULL,
  `type` varchar(255) NOT NULL,
  `state` varchar(255) NOT NULL,
  `created_at` bigint(20) NOT NULL,
  `address` varchar(255) NOT NULL,
  `port` int(11) NOT NULL,
  `ready_path` varchar(255) NOT NULL,
  `options` longtext NOT NULL,
  `container_id` varchar(255) NOT NULL,
  `ready_at` bigint(20) DEFAULT NULL,
  `ends_at` bigint(20) DEFAULT NULL,
  `ended_at` bigint(20) DEFAULT NULL,
  `ends_because` longtext NOT NULL,
  `failure` longtext DEFAULT NULL,
  `dismissed` tinyint(1) NOT NULL,
  `policy` longtext DEFAULT NULL,
  `cut_off` tinyint(1) NOT NULL,
  `warned` tinyint(1) NOT NULL,
  `strip_path` tinyint(1) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `sessions_ended_at` (`ended_at`),
  KEY `sessions_state_dismissed` (`state`,`dismissed`),
  KEY `sessions_owner_ended_at` (`owner`,`ended_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `sessions` DISABLE KEYS */;
INSERT INTO `sessions` VALUES ('cccccccccccccccccccccccccccccccc','alice','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','Terminal','remoteapp/terminal','vncapp','ready',1767323045678901,'10.213.0.2',8888,'/user/alice/containers/cccccccccccccccccccccccccccccccc/','{\"resolution\":\"1280x800\"}','ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',1767326645678901,NULL,NULL,'',NULL,0,'{\"allow_home\":true,\"volumes\":[{\"source\":\"/srv/data\",\"target\":\"/data\",\"mode\":\"ro\"}],\"allow_startup_data\":false,\"app_license\":\"\",\"share\":\"view\",\"memory\":536870912,\"cpus\":0.5,\"pids\":64,\"network\":\"none\",\"max_sessions\":2,\"max_lifetime\":0}',1,1,0);
INSERT INTO `sessions` VALUES ('dddddddddddddddddddddddddddddddd','alice','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','Terminal','remoteapp/terminal','vncapp','failed',1767319445678901,'10.213.0.2',8888,'/user/alice/containers/cccccccccccccccccccccccccccccccc/','{}','ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',NULL,NULL,1767323045678901,'failed','{\"code\":\"exited\",\"message\":\"The application ended.\",\"log_tail\":\"no display\"}',0,NULL,0,0,0);
INSERT INTO `sessions` VALUES ('eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee','alice','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','Terminal','remoteapp/terminal','vncapp','stopped',1767315845678901,'10.213.0.2',8888,'/user/alice/containers/cccccccccccccccccccccccccccccccc/','{\"resolution\":\"1280x800\"}','ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',1767326645678901,NULL,1767323045678901,'stopped',NULL,0,NULL,0,0,0);
/*!40000 ALTER TABLE `sessions` ENABLE KEYS */;
DROP TABLE IF EXISTS `shares`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `shares` (
  `id` varchar(32) NOT NULL,
  `session_id` varchar(32) NOT NULL,
  `owner` varchar(255) NOT NULL,
  `kind` varchar(16) NOT NULL,
  `name` varchar(255) NOT NULL,
  `access` varchar(16) NOT NULL,
  `created_at` bigint(20) NOT NULL,
  `expires_at` bigint(20) NOT NULL,
  `digest` varchar(64) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `shares` DISABLE KEYS */;
INSERT INTO `shares` VALUES ('55555555555555555555555555555555','cccccccccccccccccccccccccccccccc','alice','link','','view',1770091506789012,1770177906789012,'6666666666666666666666666666666666666666666666666666666666666666');
/*!40000 ALTER TABLE `shares` ENABLE KEYS */;
DROP TABLE IF EXISTS `signins`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `signins` (
  `id` varchar(255) NOT NULL,
  `user` varchar(255) NOT NULL,
  `kind` varchar(255) NOT NULL,
  `created_at` bigint(20) NOT NULL,
  `expires_at` bigint(20) NOT NULL,
  `address` varchar(255) NOT NULL,
  `source` varchar(255) NOT NULL,
  `shares` longtext NOT NULL,
  `display` varchar(255) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `signins_user` (`user`),
  KEY `signins_expires_at` (`expires_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `signins` DISABLE KEYS */;
INSERT INTO `signins` VALUES ('1111111111111111111111111111111111111111111111111111111111111111','alice','user',1767323045678901,1767326645678901,'192.0.2.1','virtual','[]','');
INSERT INTO `signins` VALUES ('5555555555555555555555555555555555555555555555555555555555555555','alice','user',1770091506789012,1770095106789012,'192.0.2.2','oidc','[]','');
INSERT INTO `signins` VALUES ('7777777777777777777777777777777777777777777777777777777777777777','guest:55555555555555555555555555555555','guest',1770091506789012,3976214400000000,'192.0.2.9','link','[\"55555555555555555555555555555555\"]','Zoe');
/*!40000 ALTER TABLE `signins` ENABLE KEYS */;
DROP TABLE IF EXISTS `tokens`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `tokens` (
  `id` varchar(255) NOT NULL,
  `user` varchar(255) NOT NULL,
  `name` varchar(255) NOT NULL,
  `scopes` longtext NOT NULL,
  `created_at` bigint(20) NOT NULL,
  `expires_at` bigint(20) NOT NULL,
  `digest` varchar(255) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `tokens_digest` (`digest`),
  KEY `tokens_user` (`user`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `tokens` DISABLE KEYS */;
INSERT INTO `tokens` VALUES ('22222222222222222222222222222222','alice','laptop','[\"sessions:read\",\"sessions:write\"]',1767323045678901,1767326645678901,'3333333333333333333333333333333333333333333333333333333333333333');
/*!40000 ALTER TABLE `tokens` ENABLE KEYS */;
DROP TABLE IF EXISTS `uids`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `uids` (
  `user` varchar(255) NOT NULL,
  `uid` int(11) NOT NULL,
  PRIMARY KEY (`user`),
  UNIQUE KEY `uids_uid` (`uid`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `uids` DISABLE KEYS */;
INSERT INTO `uids` VALUES ('dave',70007);
/*!40000 ALTER TABLE `uids` ENABLE KEYS */;
DROP TABLE IF EXISTS `usage`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `usage` (
  `session_id` varchar(32) NOT NULL,
  `user` varchar(255) NOT NULL,
  `application` varchar(255) NOT NULL,
  `image` varchar(255) NOT NULL,
  `started_at` bigint(20) NOT NULL,
  `ended_at` bigint(20) DEFAULT NULL,
  `reason` longtext NOT NULL,
  `groups` longtext NOT NULL,
  `grant_id` varchar(32) NOT NULL,
  `cpu_seconds` double NOT NULL,
  `memory_gib_seconds` double NOT NULL,
  `sampled_until` bigint(20) DEFAULT NULL,
  `cpu_counter` double NOT NULL,
  PRIMARY KEY (`session_id`),
  KEY `usage_user` (`user`),
  KEY `usage_started_at` (`started_at`),
  KEY `usage_ended_at` (`ended_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `usage` DISABLE KEYS */;
INSERT INTO `usage` VALUES ('cccccccccccccccccccccccccccccccc','alice','Terminal','remoteapp/terminal',1770087906789012,NULL,'','[\"lab\"]','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',12.5,900.25,1770091506789012,7.125);
INSERT INTO `usage` VALUES ('eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee','alice','Terminal','remoteapp/terminal',1767315845678901,1767323045678901,'stopped','[]','',0,0,NULL,0);
/*!40000 ALTER TABLE `usage` ENABLE KEYS */;
/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;
/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
/*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */;
/*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;
/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;
