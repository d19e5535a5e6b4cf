using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace Notify.Store.Migrations.Sqlite
{
    /// <inheritdoc />
    public partial class DeliveryLogInOrder : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_Deliveries_UpdatedAt",
                table: "Deliveries");

            migrationBuilder.DropIndex(
                name: "IX_Deliveries_UserId_UpdatedAt",
                table: "Deliveries");

            migrationBuilder.CreateIndex(
                name: "IX_Deliveries_UpdatedAt_UserId",
                table: "Deliveries",
                columns: new[] { "UpdatedAt", "UserId" });
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_Deliveries_UpdatedAt_UserId",
                table: "Deliveries");

            migrationBuilder.CreateIndex(
                name: "IX_Deliveries_UpdatedAt",
                table: "Deliveries",
                column: "UpdatedAt");

            migrationBuilder.CreateIndex(
                name: "IX_Deliveries_UserId_UpdatedAt",
                table: "Deliveries",
                columns: new[] { "UserId", "UpdatedAt" });
        }
    }
}
